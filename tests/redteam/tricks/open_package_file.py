"""Reads a file of the embedded zoos with Python's ``open``."""

import zlib
from pathlib import Path

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        try:
            self.found = zlib.crc32(Path(KNOWN["embedded"]).read_bytes())
        except OSError:
            self.found = 0

    def predict(self, models):
        return np.full(len(models), float(self.found))
