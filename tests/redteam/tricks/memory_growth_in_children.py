"""Takes more memory than it may have, in children."""

import os
import time

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        for _ in range(4):
            if os.fork() == 0:
                self.much = np.ones(2**23 + 2**22)
                time.sleep(5)
                os._exit(0)
        time.sleep(4)

    def predict(self, models):
        return np.zeros(len(models))
