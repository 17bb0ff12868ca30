"""The headline of weight generation: how far a draw rises above what comparators reach at the same novelty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from wslbench.generation.envelope import Envelope, upper_envelope

FloatArray = npt.NDArray[np.float64]

RESAMPLES: Final = 1000
LEVEL: Final = 0.95

Standing = Literal["in range", "out of range"]


@dataclass(frozen=True)
class Draw:
    """The networks of one draw, as points.

    Attributes
    ----------
    novelty
        ``[n]``: how far each is from the nearest train network and from the rest of the draw, in units of independent
        seeds (:attr:`wslbench.generation.Originality.distinct`).
    accuracy
        ``[n]``: share of held-out samples that each gets right.
    """

    novelty: FloatArray
    accuracy: FloatArray

    def __post_init__(self) -> None:
        if self.novelty.shape != self.accuracy.shape or self.novelty.ndim != 1 or not self.novelty.size:
            raise ValueError("a draw has one novelty and one accuracy a network, and at least one network")

    def means(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """``[resamples]`` novelty and accuracy of resamples ``[resamples, n]`` whose rows sum to 1."""
        return weights @ self.novelty, weights @ self.accuracy


class Lift(NamedTuple):
    """A lift with its 95 % interval; NaN where it has none.

    Attributes
    ----------
    value, low, high
        1: as good as held-out real networks. 0: what comparators reach.
    standing
        Whether the draw lies within the comparators' range of novelty. Outside there is no lift.
    """

    value: float
    low: float
    high: float
    standing: Standing


def lift_of(draw: Draw, real: Draw, comparators: Mapping[str, Draw], seed: int) -> Lift:
    """Lift of a draw, and an interval over the networks of all draws.

    Parameters
    ----------
    draw
        What is judged.
    real
        Held-out seeds of the target phase, judged in the same way.
    comparators
        By name; they make the envelope.
    seed
        Of the resamples: the same for every generator of a task, so that they are compared on the same real networks
        and comparators.

    Notes
    -----
    Networks are drawn anew within each draw, real networks and comparators included: the envelope and the unit of lift
    are uncertain as well. A resample that falls outside the range counts at its end: the edge is not sharper than the
    draws are.
    """
    random = np.random.default_rng(seed)
    of_comparators = np.array([each.means(_weights(each, random)) for each in comparators.values()])
    of_real = real.means(_weights(real, random))
    of_draw = draw.means(_weights(draw, random))
    envelope = upper_envelope(*of_comparators[:, :, 0].T)
    value = envelope.lift(of_draw[0][0], of_draw[1][0], of_real[0][0], of_real[1][0])
    if not np.isfinite(value):
        return Lift(np.nan, np.nan, np.nan, "out of range")
    values = []
    for number in range(1, RESAMPLES + 1):
        resampled = upper_envelope(*of_comparators[:, :, number].T)
        novelty, real_novelty = (
            float(np.clip(each[0][number], resampled.novelty[0], resampled.novelty[-1])) for each in (of_draw, of_real)
        )
        values.append(resampled.lift(novelty, of_draw[1][number], real_novelty, of_real[1][number]))
    finite = np.array(values)[np.isfinite(values)]
    if 2 * len(finite) < RESAMPLES:
        return Lift(value, np.nan, np.nan, "in range")
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Lift(value, float(low), float(high), "in range")


def envelope_of(comparators: Mapping[str, Draw]) -> Envelope:
    """The envelope of comparators as they are."""
    return upper_envelope(
        [each.novelty.mean() for each in comparators.values()], [each.accuracy.mean() for each in comparators.values()]
    )


def _weights(draw: Draw, random: np.random.Generator) -> FloatArray:
    """``[1 + RESAMPLES, n]`` shares; the first row is the draw itself."""
    count = len(draw.novelty)
    drawn = random.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return np.concatenate([np.full((1, count), 1 / count), drawn / count])
