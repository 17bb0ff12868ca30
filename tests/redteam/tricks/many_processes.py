"""Has more processes than a unit may."""

import subprocess
import time

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        self.many = [subprocess.Popen(["sleep", "5"]) for _ in range(40)]
        time.sleep(1.5)

    def predict(self, models):
        return np.zeros(len(models))
