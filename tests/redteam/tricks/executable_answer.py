"""Predicts an object that runs code where it is unpickled."""

import os

import numpy as np

KNOWN = {}


class Bomb:
    def __reduce__(self):
        return os.system, (f"touch {KNOWN['result_file']}",)


class Trick:
    def fit(self, models, target, context):
        pass

    def predict(self, models):
        return np.array([Bomb() for _ in models], dtype=object)
