"""Flat: the raw weights as one long vector, principal components and ridge regression, a model for every architecture.

What comes first to mind, and an honest straw man: no permutation of hidden units is undone, and no width learns from
another. The weights of all networks of one architecture are standardised entry by entry and projected onto their
principal components, from which ridge regression reads a value, and multinomial logistic regression with the same kind
of penalty a phase; there every phase counts alike, however rare among the train models.

``fit`` searches the number of components and the penalty (``COMPONENTS``, ``PENALTIES``) for every architecture by
cross-validation over whole cells of its train models, standardising and projecting anew in each inner fold; ``search``
holds what it found. An architecture of a single cell is given ``DEFAULT``.

An architecture that the train models lack, or have a single model of, gets what ``chance.py`` would say: the mean of
all train models, or the same probability for every phase among them. Where a protocol holds out the load, and the load
is the width, that is every test model. (``supports`` could not decline them: it is asked before ``fit``.)

Memory grows with the models of one architecture times its parameters: 8 bytes each, a few times over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler
from weight_statistics import labelled, loss

from wslbench import Models
from wslbench.typing import Context
from wslbench.zoo import Stack

Array = npt.NDArray[np.float64]
Reader = Callable[[Array], Array]
Settings = tuple[int, float]

COMPONENTS: Final = (4, 16, 64)
PENALTIES: Final = (0.1, 1.0, 10.0, 100.0)
DEFAULT: Final = (16, 10.0)
INNER_FOLDS: Final = 4


class Known(NamedTuple):
    """What is known about some train models."""

    labels: Array  # [n] values, or numbers of phases
    weights: Array  # [n], so that every phase counts alike
    cells: npt.NDArray[np.int64]  # [n]
    prior: Array  # what is said where nothing is known: a value, or [classes] probabilities

    def of(self, rows: npt.NDArray[np.intp]) -> Known:
        """The same about some of them."""
        return Known(self.labels[rows], self.weights[rows], self.cells[rows], self.prior)


class Flat:
    """Raw weights as one vector: principal components and ridge regression, a model for every architecture.

    Attributes
    ----------
    search
        After ``fit``, by architecture: the loss of each (components, penalty) that was tried, over inner folds of
        whole cells; empty where there is one cell.
    settings
        After ``fit``, by architecture: the (components, penalty) that were used.
    """

    def fit(self, models: Models, target: npt.NDArray[Any], context: Context) -> None:
        """Search the settings of every architecture on held-out cells of its train models, then fit on all of them."""
        known = know(target, context)
        self._prior = known.prior
        self.search: dict[str, dict[Settings, float]] = {}
        self.settings: dict[str, Settings] = {}
        self._projections: dict[str, Projection] = {}
        self._readers: dict[str, Reader] = {}
        for stack in models.by_architecture():
            if len(stack) < 2:
                continue
            vectors, here = flatten(stack), known.of(stack.positions)
            tried = search_settings(vectors, here, context.seed)
            chosen = min(tried, key=lambda settings: tried[settings], default=DEFAULT)
            self.search[stack.name], self.settings[stack.name] = tried, chosen
            self._projections[stack.name] = Projection(vectors)
            self._readers[stack.name] = fit_reader(self._projections[stack.name](vectors), here, chosen)

    def predict(self, models: Models) -> Array:
        """Probabilities ``[n, classes]``, or values ``[n]``."""
        prediction = np.broadcast_to(self._prior, (len(models), *self._prior.shape)).copy()
        for stack in models.by_architecture():
            if stack.name in self._readers:
                scores = self._projections[stack.name](flatten(stack))
                prediction[stack.positions] = self._readers[stack.name](scores)
        return prediction


def know(target: npt.NDArray[Any], context: Context) -> Known:
    """Labels, weights, and the prediction of ``chance.py``."""
    labels, weights, _ = labelled(target, context)
    if not context.classes:
        return Known(labels, weights, context.groups, np.asarray(labels.mean()))
    seen = np.isin(np.arange(len(context.classes)), labels).astype(np.float64)
    return Known(labels, weights, context.groups, seen / seen.sum())


def flatten(stack: Stack) -> Array:
    """``[n, parameters]``: all stored tensors, one after the other; 0 for an entry that is not finite."""
    parts = [stack[name].reshape(len(stack), -1) for name in stack.keys()]  # noqa: SIM118 - a Stack is no mapping
    return np.nan_to_num(np.concatenate(parts, axis=1, dtype=np.float64), copy=False, posinf=0, neginf=0)


class Projection:
    """Standardisation and principal components of some networks, as many as a setting may ask for.

    All are in units of the first one's deviation, so that a penalty means the same for any number of parameters.
    """

    def __init__(self, vectors: Array) -> None:
        self._scaler = StandardScaler().fit(vectors)
        components = min(max(COMPONENTS), len(vectors) - 1, vectors.shape[1])
        self._components = PCA(components, svd_solver="full").fit(self._scaler.transform(vectors))
        self._unit = np.sqrt(self._components.explained_variance_[0]) or 1.0  # 0 where all networks are alike

    def __call__(self, vectors: Array) -> Array:
        """``[n, components]``."""
        return np.asarray(self._components.transform(self._scaler.transform(vectors)) / self._unit)


def fit_reader(scores: Array, known: Known, settings: Settings) -> Reader:
    """Ridge or multinomial logistic regression from the first principal components."""
    components, penalty = settings
    scores = scores[:, :components]
    if not known.prior.ndim:
        ridge = Ridge(penalty).fit(scores, known.labels)
        return lambda new: np.asarray(ridge.predict(new[:, :components]))
    phases = np.unique(known.labels).astype(np.intp)
    cells = len(np.unique(known.cells))
    classifier = LogisticRegression(C=1 / penalty, tol=1e-3, max_iter=1000)
    if len(phases) > 1:
        classifier.fit(scores, known.labels, sample_weight=known.weights)

    def read(new: Array) -> Array:
        shown = np.zeros((len(new), len(known.prior)))
        shown[:, phases] = classifier.predict_proba(new[:, :components]) if len(phases) > 1 else 1
        # A phase that an architecture did not show is improbable, not impossible: one made-up cell with the prior's
        # probabilities stands beside the cells that it did show.
        return np.asarray((cells * shown + known.prior) / (cells + 1))

    return read


def search_settings(vectors: Array, known: Known, seed: int) -> dict[Settings, float]:
    """Weighted loss of every (components, penalty) over inner folds of whole cells: squared error, or log loss."""
    folds = min(INNER_FOLDS, len(np.unique(known.cells)))
    if folds < 2:
        return {}
    losses = {(components, penalty): 0.0 for components in COMPONENTS for penalty in PENALTIES}
    for train, test in GroupKFold(folds, shuffle=True, random_state=seed).split(vectors, groups=known.cells):
        if len(train) < 2:
            continue  # one network has no components
        projection = Projection(vectors[train])
        here, there = projection(vectors[train]), projection(vectors[test])
        for settings in losses:
            errors = loss(known.labels[test], fit_reader(here, known.of(train), settings)(there))
            losses[settings] += float(np.average(errors, weights=known.weights[test])) / folds
    return losses
