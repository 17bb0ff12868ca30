"""Takes more memory than it may have, in files that stand in memory."""

import time
from pathlib import Path

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        self.much = np.ones(2**24)
        Path(KNOWN["shm"]).write_bytes(bytes(2**28 - 2**22))
        time.sleep(1.5)

    def predict(self, models):
        return np.zeros(len(models))
