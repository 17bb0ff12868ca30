"""Prints and prints."""

import os

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        line = bytes(2**16)
        for _ in range(2**14):
            os.write(1, line)
        raise ValueError("done")

    def predict(self, models):
        raise NotImplementedError
