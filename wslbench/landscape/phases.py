"""Phases of cells: the rule, its cut-offs, and the probability of a label under resampled seeds.

1. *converged* iff log10 train loss is strictly below its Otsu cut-off over the cells;
2. *connected* iff mode connectivity is at least −2 percentage points, or at least −``connectivity_tolerance`` where
   the table of cells has that column and it is larger (noise between seeds, for errors that are no share of samples);
3. I: neither; II: connected only; III: converged only; both: IV-B iff CKA is at least its Otsu cut-off over
   the cells in IV, else IV-A.

After the taxonomy of Yang et al. 2021 (arXiv 2107.11228), whose diagrams were drawn by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from wslbench.errors import LandscapeError
from wslbench.landscape.otsu import otsu, otsu_sorted

if TYPE_CHECKING:
    import pandas as pd

PHASES = ("I", "II", "III", "IV-A", "IV-B")
CONNECTED_FROM = -2.0
"""Percentage points of train error."""

ORDER_PARAMETERS = ("train_loss", "mode_connectivity", "cka")


class PhaseCutoffs(BaseModel):
    """The frozen numbers of the phase rule, as stored in ``zoo.yaml``.

    Attributes
    ----------
    train_loss
        In nats: a cell is converged strictly below it. Fitted on log10.
    cka
        A cell in IV is IV-B from it on.
    mode_connectivity
        Percentage points: a cell is connected from it on. Fixed by the rule, not fitted.
    train_loss_separability, cka_separability
        Otsu's η, with the .95 quantile under a uniform law beside it; below that the boundary is a
        crossover. None where the cut-off was given, not fitted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    train_loss: float
    cka: float
    mode_connectivity: float = CONNECTED_FROM
    train_loss_separability: float | None = None
    train_loss_null: float | None = None
    cka_separability: float | None = None
    cka_null: float | None = None


def fit_cutoffs(cells: pd.DataFrame) -> PhaseCutoffs:
    """The cut-offs of the rule over the cells of a zoo.

    Parameters
    ----------
    cells
        A row a cell, with ``train_loss`` (nats), ``mode_connectivity`` (percentage points), ``cka``. Rows
        with a missing value take no part.

    Raises
    ------
    LandscapeError
        If a column is missing, a loss is not positive, or too few cells differ.
    """
    complete = _complete(cells)
    loss, connectivity, cka = (cells[name].to_numpy(dtype=np.float64)[complete] for name in ORDER_PARAMETERS)
    by_loss = otsu(np.log10(loss))
    in_four = (np.log10(loss) < by_loss.value) & (connectivity >= _connected_from(cells)[complete])
    if len(np.unique(cka[in_four])) < 2:
        raise LandscapeError(
            f"only {int(in_four.sum())} cells are converged and connected: too few for a CKA cut-off of their own. "
            "Give the cut-offs of a larger zoo with `cutoffs=`"
        )
    by_cka = otsu(cka[in_four])
    return PhaseCutoffs(
        train_loss=10**by_loss.value,
        cka=by_cka.value,
        train_loss_separability=by_loss.separability,
        train_loss_null=by_loss.null_separability,
        cka_separability=by_cka.separability,
        cka_null=by_cka.null_separability,
    )


def assign_phases(
    cells: pd.DataFrame, cutoffs: PhaseCutoffs | Mapping[str, float | None] | None = None
) -> pd.DataFrame:
    """Give every cell its phase.

    Parameters
    ----------
    cells
        A row a cell, with ``train_loss`` (nats), ``mode_connectivity`` (percentage points of train error)
        and ``cka``. Other columns are kept.
    cutoffs
        Those of another zoo, also as its card has them (``zoo.card.phase_rule["cutoffs"]``); fitted on ``cells``
        if not given.

    Returns
    -------
    pandas.DataFrame
        A copy with the column ``phase``: one of :data:`PHASES`, or missing where an order parameter is
        missing (a cell with one seed has neither connectivity nor CKA, hence no phase).

    Raises
    ------
    LandscapeError
        As :func:`fit_cutoffs`.
    """
    complete = _complete(cells)
    frozen = fit_cutoffs(cells) if cutoffs is None else PhaseCutoffs.model_validate(cutoffs)
    loss, connectivity, cka = (cells[name].to_numpy(dtype=np.float64) for name in ORDER_PARAMETERS)
    index = _phase_index(loss, connectivity, cka, frozen.train_loss, frozen.cka, _connected_from(cells))
    labels = np.asarray(PHASES, dtype=object)[index]
    labels[~complete] = None
    return cells.assign(phase=labels)


def phase_probability(
    seed_losses: NDArray[np.float64],
    pair_seeds: NDArray[np.int64],
    pair_connectivity: NDArray[np.float64],
    pair_cka: NDArray[np.float64],
    cutoffs: PhaseCutoffs | None = None,
    tolerance: NDArray[np.float64] | None = None,
    draws: int = 1000,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Probability of every phase for every cell, from a bootstrap over seeds.

    In each draw every cell draws as many seeds as it has, with replacement and at least 3 different ones;
    connectivity and CKA are the means over the pairs of draws, self-pairs dropped; the cut-offs are fitted
    anew unless they are given. A cell with fewer than 3 seeds has no probability of its own; it still takes part in
    the cut-offs as it is.

    Parameters
    ----------
    seed_losses
        Train loss ``[cells, seeds]``, nats; NaN where a cell has no such seed.
    pair_seeds
        The two seeds of each pair ``[pairs, 2]``, as columns of ``seed_losses``.
    pair_connectivity, pair_cka
        ``[cells, pairs]``; NaN where a cell was not compared in such a pair.
    tolerance
        ``connectivity_tolerance [cells]``, percentage points, the same in all draws; None: none.

    Returns
    -------
    ndarray
        ``[cells, 5]``, rows sum to 1, in the order of :data:`PHASES`; NaN for a cell of fewer than 3 seeds.

    Raises
    ------
    LandscapeError
        If no cell has 3 seeds.
    """
    cells = len(seed_losses)
    present, compared = np.isfinite(seed_losses), np.isfinite(pair_connectivity) & np.isfinite(pair_cka)
    enough = present.sum(1) >= 3
    if not enough.any():
        most = int(present.sum(1).max()) if cells else 0
        raise LandscapeError(f"the bootstrap over seeds needs at least 3 seeds a cell, not {most}")
    seed_losses = np.where(present, seed_losses, 0.0)
    pair_connectivity, pair_cka = (np.where(compared, values, 0.0) for values in (pair_connectivity, pair_cka))
    generator = np.random.default_rng(seed)
    counts = np.zeros((cells, len(PHASES)))
    rows = np.arange(cells)
    connected_from = np.full(cells, CONNECTED_FROM)
    if tolerance is not None:
        connected_from = np.minimum(connected_from, -tolerance)
    for _ in range(draws):
        weights = _seed_weights(generator, present)
        pair_weights = weights[:, pair_seeds[:, 0]] * weights[:, pair_seeds[:, 1]] * compared
        loss = (weights * seed_losses).sum(1) / weights.sum(1)
        connectivity = (pair_weights * pair_connectivity).sum(1) / pair_weights.sum(1)
        cka = (pair_weights * pair_cka).sum(1) / pair_weights.sum(1)
        if cutoffs is not None:
            loss_cutoff, cka_cutoff = cutoffs.train_loss, cutoffs.cka
        else:
            loss_cutoff = 10 ** float(otsu_sorted(np.sort(np.log10(loss))[None])[0][0])
            in_four = (loss < loss_cutoff) & (connectivity >= connected_from)
            cka_cutoff = float(otsu_sorted(np.sort(cka[in_four])[None])[0][0]) if in_four.sum() > 1 else np.inf
        counts[rows, _phase_index(loss, connectivity, cka, loss_cutoff, cka_cutoff, connected_from)] += 1
    counts[~enough] = np.nan
    return counts / draws


def _seed_weights(generator: np.random.Generator, present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How often each seed is drawn ``[cells, seeds]``; draws with fewer than 3 different seeds are repeated.

    A cell of fewer than 3 seeds keeps each of them once.
    """
    weights = present.astype(np.float64)
    number = present.sum(1)
    missing = np.flatnonzero(number >= 3)
    while len(missing):
        share = present[missing] / number[missing, None]
        weights[missing] = generator.multinomial(number[missing], share)
        missing = missing[(weights[missing] > 0).sum(1) < 3]
    return weights


def _phase_index(
    loss: NDArray[np.float64],
    connectivity: NDArray[np.float64],
    cka: NDArray[np.float64],
    loss_cutoff: float,
    cka_cutoff: float,
    connected_from: NDArray[np.float64],
) -> NDArray[np.int64]:
    converged = np.log10(loss) < np.log10(loss_cutoff)
    connected = connectivity >= connected_from
    similar = cka >= cka_cutoff
    return np.where(converged, np.where(connected, 3 + similar, 2), np.where(connected, 1, 0)).astype(np.int64)


def _connected_from(cells: pd.DataFrame) -> NDArray[np.float64]:
    """From which mode connectivity on each cell is connected, percentage points."""
    threshold = np.full(len(cells), CONNECTED_FROM)
    if "connectivity_tolerance" in cells.columns:
        threshold = np.fmin(threshold, -cells["connectivity_tolerance"].to_numpy(dtype=np.float64))
    return threshold


def _complete(cells: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows have all order parameters; a missing column or a loss that is not positive is an error."""
    absent = [name for name in ORDER_PARAMETERS if name not in cells.columns]
    if absent:
        raise LandscapeError(f"the table of cells has no column {', '.join(absent)}: phases need {ORDER_PARAMETERS}")
    values = cells[list(ORDER_PARAMETERS)].to_numpy(dtype=np.float64)
    bad = np.flatnonzero(values[:, 0] <= 0)
    if len(bad):
        raise LandscapeError(
            f"train_loss of row {int(bad[0])} is {values[bad[0], 0]}: a mean cross-entropy is positive"
        )
    complete: NDArray[np.bool_] = np.isfinite(values).all(axis=1)
    return complete
