"""Sleeps past its limit, deaf to signals."""

import signal
import time

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            time.sleep(1)

    def predict(self, models):
        raise NotImplementedError
