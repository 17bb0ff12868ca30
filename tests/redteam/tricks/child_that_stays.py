"""Forks a process that leaves the session, loses its parent and stays."""

import subprocess
import sys

import numpy as np

KNOWN = {}
STAY = """
import os, signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
time.sleep(60)
"""


class Trick:
    def fit(self, models, target, context):
        subprocess.run([sys.executable, "-S", "-c", STAY, KNOWN["mark"]], check=True)

    def predict(self, models):
        return np.zeros(len(models))
