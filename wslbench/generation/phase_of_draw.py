"""Which phase the networks of a draw would be, were they the seeds of a cell."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from wslbench.annotation.seed_pairs import seed_pairs
from wslbench.generation.quality import with_statistics
from wslbench.landscape import PHASES, PhaseCutoffs, assign_phases, phase_probability
from wslbench.landscape.connectivity import fit_curves
from wslbench.landscape.similarity import linear_cka
from wslbench.training import Classification, ModelStack, Optimisation, seed_from
from wslbench.training.loop import Progress

PAIRS: Final = 30
DIVERSE_FROM: Final = 0.5
"""Of the diversity of held-out seeds: below it, connectivity and CKA say that networks are copies, not which phase."""


class PhaseOfDraw(NamedTuple):
    """Order parameters of a draw and the phase that the frozen rule gives it.

    Attributes
    ----------
    train_loss, mode_connectivity, cka
        Means over networks, and over pairs.
    phase
        None where one of them is missing.
    probability
        Of each phase, from a bootstrap over the drawn networks; empty where there is no phase.
    """

    train_loss: float
    mode_connectivity: float
    cka: float
    phase: str | None
    probability: dict[str, float]

    def fidelity(self, wanted: str, diversity: float) -> float:
        """The probability of the phase that was asked for; 0 for a draw that is not diverse.

        Parameters
        ----------
        diversity
            Of the draw, over that of held-out seeds.
        """
        return self.probability.get(wanted, 0.0) if diversity >= DIVERSE_FROM else 0.0


def phase_of_draw(
    stack: ModelStack,
    objective: Classification,
    curve: Optimisation,
    cutoffs: PhaseCutoffs,
    name: str,
    progress: Progress | None = None,
) -> PhaseOfDraw:
    """Measure a draw as the cells of its zoo were measured, on :data:`PAIRS` disjoint pairs.

    Parameters
    ----------
    stack
        At least four networks of finite weights.
    objective
        The data that the zoo's networks saw.
    curve, cutoffs
        The zoo's.
    name
        What pairs and curves are drawn from.
    progress
        Called after each few curves.
    """
    stack = with_statistics(stack, objective)
    pairs = np.array(seed_pairs(name, range(stack.size), PAIRS))
    first, second = pairs.T
    seeds = [seed_from(name, "curve", number) for number in range(len(pairs))]
    losses = np.asarray(objective.measure(stack)["train_loss"], np.float64)
    curves = fit_curves(stack.select(first), stack.select(second), objective, curve, seeds, progress)
    connectivity = curves.mode_connectivity
    logits = objective.representation(stack)
    cka = linear_cka(logits[first], logits[second]).cpu().numpy()
    means = {"train_loss": losses.mean(), "mode_connectivity": connectivity.mean(), "cka": cka.mean()}
    phase = assign_phases(pd.DataFrame([means]), cutoffs)["phase"].iloc[0]
    probability = {}
    if phase is not None:
        found = phase_probability(losses[None], pairs, connectivity[None], cka[None], cutoffs)[0]
        probability = dict(zip(PHASES, found.tolist(), strict=True))
    loss, barrier, similarity = (float(value) for value in means.values())
    return PhaseOfDraw(loss, barrier, similarity, phase, probability)
