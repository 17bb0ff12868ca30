"""The headline of weight generation: how far a draw rises above what comparators reach at the same novelty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from wslbench.generation.envelope import Envelope, upper_envelope

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RESAMPLES: Final = 1000
LEVEL: Final = 0.95

LEAST_SOURCES: Final = 0.5
"""Of the effective sources that held-out real networks have. A draw of fewer is a few networks' luck, which comparators
do not have: in `digits-cnn-seeds`, real seeds have 23 to 30, noise around one network has 1."""

Standing = Literal["in range", "out of range", "few sources"]


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
    source
        ``[n]``: the train network that each is nearest to (:attr:`wslbench.generation.Originality.nearest`). Networks
        of one source may be versions of one network, so sources are resampled, not networks.
    """

    novelty: FloatArray
    accuracy: FloatArray
    source: IntArray

    def __post_init__(self) -> None:
        if not self.novelty.shape == self.accuracy.shape == self.source.shape or not self.novelty.size:
            raise ValueError("a draw has one novelty, one accuracy and one source a network, and at least one network")

    @property
    def sources(self) -> float:
        """The effective number of sources, ``1 / Σ share²`` (Simpson 1949, Nature 163:688)."""
        share = np.unique(self.source, return_counts=True)[1] / len(self.source)
        return float(1 / (share**2).sum())

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
        Whether the draw lies within the comparators' range of novelty, and descends from enough train networks.
        Otherwise there is no lift.
    """

    value: float
    low: float
    high: float
    standing: Standing


class LiftScale:
    """What a draw's lift is measured on: held-out real networks and comparators, resampled once for all draws.

    Parameters
    ----------
    real
        Held-out seeds of the target phase, judged as every draw is.
    comparators
        By name; they make the envelope.
    seed
        Of the resamples: one a task, so that generators are compared on the same real networks and comparators.

    Notes
    -----
    Sources are drawn anew within each draw and comparator, and networks among the real ones, which are independent
    seeds: the envelope and the unit of lift are uncertain as well. A resample that falls outside the range counts at
    its end: the edge is not sharper than the draws are.
    """

    def __init__(self, real: Draw, comparators: Mapping[str, Draw], seed: int) -> None:
        self.seed = seed
        random = np.random.default_rng([seed, 0])
        of_comparators = np.array([each.means(_weights(each, random)) for each in comparators.values()])
        self._real = np.stack(real.means(_shares(np.arange(len(real.source)), random)))
        self.least_sources = LEAST_SOURCES * real.sources
        self._envelopes = [upper_envelope(*of_comparators[:, :, number].T) for number in range(1 + RESAMPLES)]

    @property
    def envelope(self) -> Envelope:
        """The envelope of the comparators as they are."""
        return self._envelopes[0]

    def draws(self, draw: Draw) -> FloatArray:
        """Lift ``[1 + RESAMPLES]``; the first is the draw's own.

        All are NaN where that lies outside the comparators' range, or the draw has fewer than ``least_sources``.
        """
        novelty, accuracy = draw.means(draw_weights(draw.source, self.seed))
        values = np.full(1 + RESAMPLES, np.nan)
        if draw.sources < self.least_sources:
            return values
        values[0] = self.envelope.lift(novelty[0], accuracy[0], *self._real[:, 0])
        if not np.isfinite(values[0]):
            return values
        for number, envelope in enumerate(self._envelopes[1:], start=1):
            ends = envelope.novelty[0], envelope.novelty[-1]
            here, real = (float(np.clip(value, *ends)) for value in (novelty[number], self._real[0, number]))
            values[number] = envelope.lift(here, accuracy[number], real, self._real[1, number])
        return values


def lift_of(draw: Draw, real: Draw, comparators: Mapping[str, Draw], seed: int) -> Lift:
    """Lift of one draw, and a 95 % interval over the networks of all draws; see :class:`LiftScale`."""
    scale = LiftScale(real, comparators, seed)
    values = scale.draws(draw)
    if not np.isfinite(values[0]):
        few = draw.sources < scale.least_sources
        return Lift(np.nan, np.nan, np.nan, "few sources" if few else "out of range")
    finite = values[1:][np.isfinite(values[1:])]
    if 2 * len(finite) < RESAMPLES:
        return Lift(float(values[0]), np.nan, np.nan, "in range")
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Lift(float(values[0]), float(low), float(high), "in range")


def draw_weights(source: IntArray, seed: int) -> FloatArray:
    """``[1 + RESAMPLES, networks]`` shares of a draw's networks in its resamples, of ``source`` ``[networks]``."""
    return _shares(source, np.random.default_rng([seed, 1]))


def envelope_of(comparators: Mapping[str, Draw]) -> Envelope:
    """The envelope of comparators as they are."""
    return upper_envelope(
        [each.novelty.mean() for each in comparators.values()], [each.accuracy.mean() for each in comparators.values()]
    )


def _weights(draw: Draw, random: np.random.Generator) -> FloatArray:
    return _shares(draw.source, random)


def _shares(source: IntArray, random: np.random.Generator) -> FloatArray:
    """The first row is the draw itself; in the others, sources are drawn with replacement."""
    found, of = np.unique(source, return_inverse=True)
    drawn = random.multinomial(len(found), np.full(len(found), 1 / len(found)), size=RESAMPLES)[:, of]
    return np.concatenate([np.full((1, len(source)), 1 / len(source)), drawn / drawn.sum(axis=1, keepdims=True)])
