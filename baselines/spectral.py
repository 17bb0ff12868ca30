"""Spectral: the singular values of every weight matrix, made comparable across widths, and gradient boosting.

Martin & Mahoney 2021 (*Implicit self-regularization in deep neural networks*, JMLR 22:165) read how well a network was
trained off the spectra of its weights. The features are those of ``wslbench.encodings.spectra``: norms, stable and
effective rank, quantiles of the singular values and the exponent of their tail. Raw, they grow with a matrix's size;
here they are in units in which random matrices of one aspect ratio look alike at any size:

* the Frobenius norm is divided by √rows: 1 is a unit's gain at any width;
* a singular value is given by its place in the bulk that as many independent entries of the same mean square would
  fill (Marchenko & Pastur 1967): 0 is its lower edge, 1 its upper edge, and beyond 1 stands what was learned;
* ranks are divided by the shorter side.

A vector has one singular value, its norm: it is given by the root of its mean square. The number of parameters stands
beside them, as a logarithm.

The trees, their settings and the search among them are those of ``weight_statistics.py``: ``fit`` cross-validates over
whole cells of the train models it is given, so no setting has seen a test cell, and ``search`` holds what it found.
``search/spectral.md`` says which other features were looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from weight_statistics import ENSEMBLE, LEAVES, ROUNDS, boost, labelled, search_settings

from wslbench import Models
from wslbench.encodings import statistics
from wslbench.encodings.spectra import SPECTRA
from wslbench.typing import Context

Array = npt.NDArray[np.float64]

PLACES = ("spectral_norm", "s0", "s25", "s50", "s75")
RANKS = ("stable_rank", "effective_rank")


class Spectral:
    """Norms, ranks, singular values and tails of every weight matrix, comparable across widths; gradient boosting.

    Attributes
    ----------
    search
        After ``fit``: the loss of each (leaves, rounds) that was tried, over inner folds of whole cells; empty
        where there are too few cells to search.
    settings
        After ``fit``: the (leaves, rounds) that were used.
    """

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Search the settings on held-out cells of the train models, then fit a small ensemble on all of them."""
        described = describe(models)
        self._columns = described.columns
        features = described.to_numpy()
        labels, weights, objective = labelled(target, context)
        self.search = search_settings(features, labels, weights, objective, context)
        self.settings = min(self.search, key=lambda tried: self.search[tried], default=(LEAVES[0], ROUNDS[0]))
        leaves, rounds = self.settings
        self._boosters = [
            boost(features, labels, weights, {**objective, "num_leaves": leaves, "seed": seed}, rounds)
            for seed in range(ENSEMBLE * context.seed, ENSEMBLE * (context.seed + 1))
        ]

    def predict(self, models: Models) -> Array:
        """Probabilities ``[n, classes]``, or values ``[n]``: the ensemble's mean."""
        features = describe(models).reindex(columns=self._columns).to_numpy()
        predictions = [booster.predict(features) for booster in self._boosters]
        return np.asarray(np.mean(predictions, axis=0))


def describe(models: Models) -> pd.DataFrame:
    """Comparable spectra, a row a model; NaN where an architecture lacks a tensor."""
    table = statistics(models, spectral=True)
    place = {column: number for number, column in enumerate(table.columns)}
    parts = []
    for stack in models.by_architecture():
        rows = table.to_numpy()[stack.positions]
        shapes = {name: stack.shape(name) for name in stack.keys()}  # noqa: SIM118 - a Stack is no mapping
        columns: dict[str, Array] = {}
        for name, shape in shapes.items():
            if len(shape) > 1:
                values = rows[:, [place[f"{name}.{kind}"] for kind in SPECTRA]]
                described = comparable(values, shape[0], int(np.prod(shape[1:])))
                columns |= {f"{name}.{kind}": column for kind, column in described.items()}
            else:
                columns[f"{name}.size"] = np.hypot(rows[:, place[f"{name}.mean"]], rows[:, place[f"{name}.std"]])
        columns["parameters"] = np.full(len(rows), np.log10(sum(np.prod(shape) for shape in shapes.values())))
        parts.append(pd.DataFrame(columns, index=stack.positions))
    return pd.concat(parts).sort_index() if parts else table


def comparable(values: Array, rows: int, columns: int) -> dict[str, Array]:
    """The spectra ``[n, len(SPECTRA)]`` of matrices of one size in units that hold at any size.

    The bulk of a random matrix of entries with mean square σ² reaches from σ(√M − √m) to σ(√M + √m), M being the
    longer and m the shorter side.
    """
    found = dict(zip(SPECTRA, values.T, strict=True))
    longer, shorter = max(rows, columns), min(rows, columns)
    deviation = found["frobenius_norm"] / np.sqrt(rows * columns)
    deviation = np.where(deviation > 0, deviation, np.nan)  # a matrix of zeros has no bulk
    lower = np.sqrt(longer) - np.sqrt(shorter)
    size = {"size": found["frobenius_norm"] / np.sqrt(rows)}
    places = {kind: (found[kind] / deviation - lower) / (2 * np.sqrt(shorter)) for kind in PLACES}
    ranks = {kind: found[kind] / shorter for kind in RANKS}
    return size | places | ranks | {"power_law": found["power_law"]}
