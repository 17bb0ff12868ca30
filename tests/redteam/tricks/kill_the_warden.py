"""Kills the process that watches over it, so that what it has started goes on when it is gone."""

import os
import signal
import subprocess
import sys
import time

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        stay = "import time; time.sleep(60)"
        subprocess.Popen([sys.executable, "-S", "-c", stay, KNOWN["mark"]], start_new_session=True)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(0.2)

    def predict(self, models):
        return np.zeros(len(models))
