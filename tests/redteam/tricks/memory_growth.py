"""Takes more memory than it may have."""

import time

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        self.much = [np.ones(2**22) for _ in range(12)]
        time.sleep(4)

    def predict(self, models):
        return np.zeros(len(models))
