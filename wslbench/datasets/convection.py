"""The points of the 1-D convection equation u_t + βu_x = 0, generated: fixed by a seed, the same on every machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wslbench.datasets._dataset import ConvectionDataset
from wslbench.errors import DatasetError

SEED = 2504_18072
LENGTH = 2 * np.pi
GRID_X = 128
GRID_T = 50
MOST_POINTS = 10_000_000


def load(interior: int = 1024, initial: int = 256, boundary: int = 256) -> ConvectionDataset:
    """Draw the points, uniformly over their ranges.

    Parameters
    ----------
    interior, initial, boundary
        Numbers of points. Each has a stream of random numbers of its own, so that one number does not change the
        others' points, and more points only add to fewer.
    """
    for name, count in (("interior", interior), ("initial", initial), ("boundary", boundary)):
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_POINTS:
            raise DatasetError(f"data set 'convection': {name} is a number of points from 1 up, not {count!r}")
    inside = np.random.default_rng([SEED, 0]).random((interior, 2)) * (LENGTH, 1.0)
    start = np.random.default_rng([SEED, 1]).random(initial) * LENGTH
    edges = np.random.default_rng([SEED, 2]).random(boundary)
    return ConvectionDataset(
        "convection",
        interior=inside.astype(np.float32),
        initial=start.astype(np.float32),
        boundary=edges.astype(np.float32),
        grid=_grid(),
    )


def _grid() -> NDArray[np.float32]:
    x = np.arange(GRID_X) * (LENGTH / GRID_X)  # 2π is 0 again, so it is left out
    t = np.linspace(0.0, 1.0, GRID_T)
    return np.stack(np.meshgrid(x, t, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.float32)
