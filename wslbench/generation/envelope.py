"""What comparators reach: the upper envelope of accuracy over novelty, and lift above it.

Who mixes two kinds of networks in one draw gets the mean of both in novelty and in accuracy alike. So the envelope is
the upper *concave* one: without it, mixing copies and noise would count as an achievement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Envelope:
    """The upper concave envelope of comparators.

    Attributes
    ----------
    novelty, accuracy
        ``[corners]``: its corners, novelty ascending.
    """

    novelty: FloatArray
    accuracy: FloatArray

    def at(self, novelty: float) -> float:
        """The accuracy that comparators reach at this novelty; NaN outside their range."""
        if not self.novelty[0] <= novelty <= self.novelty[-1]:
            return float("nan")
        return float(np.interp(novelty, self.novelty, self.accuracy))

    def lift(self, novelty: float, accuracy: float, real_novelty: float, real_accuracy: float) -> float:
        """Accuracy above the envelope at the same novelty, in units of what held-out real networks have above it.

        NaN where the draw or the real networks lie outside the comparators' range of novelty, or the real networks not
        above the envelope: there is no unit then.
        """
        room = real_accuracy - self.at(real_novelty)
        if not room > 0:
            return float("nan")
        return (accuracy - self.at(novelty)) / room


def upper_envelope(novelty: npt.ArrayLike, accuracy: npt.ArrayLike) -> Envelope:
    """The upper concave envelope of points (Andrew 1979, Information Processing Letters 9).

    Parameters
    ----------
    novelty, accuracy
        ``[comparators]``: the means of each comparator's draw.

    Raises
    ------
    ValueError
        If there is no point, or one is not finite.
    """
    points = np.column_stack([np.asarray(novelty, np.float64), np.asarray(accuracy, np.float64)])
    if not len(points) or not np.isfinite(points).all():
        raise ValueError("an envelope needs points, and finite ones")
    corners: list[FloatArray] = []
    for point in points[np.lexsort((-points[:, 1], points[:, 0]))]:
        if corners and point[0] == corners[-1][0]:
            continue  # at the same novelty the more accurate came first
        while len(corners) > 1 and _turns_left(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    return Envelope(*np.array(corners).T)


def _turns_left(first: FloatArray, second: FloatArray, third: FloatArray) -> bool:
    """Whether the second point lies on or below the line from the first to the third."""
    across = (second[0] - first[0]) * (third[1] - first[1]) - (second[1] - first[1]) * (third[0] - first[0])
    return bool(across >= 0)
