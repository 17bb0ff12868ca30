"""Tells a server its labels."""

import contextlib
import socket

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", KNOWN["port"]), timeout=5) as line:
            line.sendall(target.tobytes())

    def predict(self, models):
        return np.zeros(len(models))
