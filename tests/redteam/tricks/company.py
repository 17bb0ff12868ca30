"""Predicts from the other models of its chunk."""

import numpy as np

KNOWN = {}


class Trick:
    def fit(self, models, target, context):
        pass

    def predict(self, models):
        scale = np.array([model.tensors()["conv1.weight"].std() for model in models])
        return scale - scale.mean()
