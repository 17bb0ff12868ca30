"""Kills the process that watches over it."""

import os
import signal
import time

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(0.2)

    def predict(self, models):
        return np.zeros(len(models))
