"""Writes a result of its own into the folder for results, with another program."""

import subprocess

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        subprocess.run(["tee", KNOWN["result_file"]], input=b"mine", capture_output=True, check=False)

    def predict(self, models):
        return np.zeros(len(models))
