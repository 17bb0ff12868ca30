"""Takes more memory than it may have, of a kind that processes share."""

import mmap
import time

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        self.much = mmap.mmap(-1, 2**29)
        self.much.write(bytes(2**29))
        time.sleep(1.5)

    def predict(self, models):
        return np.zeros(len(models))
