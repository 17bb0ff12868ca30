"""What is wrong with a draw of networks, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from wslbench.evaluation.prediction_checks import Flaw

_SHOWN = 4


def draw_flaw(drawn: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], count: int) -> Flaw | None:
    """Why a draw is no ``count`` networks of the architecture, or None.

    Parameters
    ----------
    drawn
        ``[n, *shape]`` by name.
    shapes
        Of the architecture's tensors.
    """
    missing, strange = sorted(set(shapes) - set(drawn)), sorted(set(drawn) - set(shapes))
    if missing or strange:
        words = [f"lack {_listed(missing)}"] if missing else []
        words += [f"hold {_listed(strange)}, which the architecture has not"] if strange else []
        return Flaw("wrong_draw", f"the networks {' and '.join(words)}")
    for name, shape in shapes.items():
        found = drawn[name].shape
        if len(found) != 1 + len(shape) or found[1:] != shape:
            return Flaw("wrong_draw", f"{name} came as {list(found)} instead of {[count, *shape]}")
        if found[0] != count:
            more = "at least " if found[0] > count else ""
            return Flaw("wrong_draw", f"`generate` was asked for {count} networks and returned {more}{found[0]}")
    for name, values in drawn.items():
        wrong = ~np.isfinite(values.reshape(count, -1)).all(axis=1)
        if wrong.any():
            return Flaw("not_finite", f"{name} holds NaN or infinite weights in {wrong.sum()} of {count} networks")
    return None


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
