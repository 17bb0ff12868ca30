"""Disguise: the same functions, other weights."""

from __future__ import annotations

import numpy as np

from wslbench.symmetry.derivation import symmetries
from wslbench.symmetry.elements import Tensors, apply, random
from wslbench.zoo.models import Models, Stack


def disguise(models: Models, seed: int, *, permutation: bool = True, scaling: bool = True) -> Models:
    """Every model transformed by a random element of its architecture's symmetry group.

    Parameters
    ----------
    models
        The models; they stay as they are.
    seed
        Seed; equal seeds and equal models give equal disguises.
    permutation, scaling
        Which symmetries are drawn, see :func:`random`.

    Returns
    -------
    Models
        As many, in the same order, under the same ids, held in memory.

    Raises
    ------
    ArchitectureError
        If the symmetries of an architecture cannot be derived.
    """
    seeds = np.random.SeedSequence(seed)

    def move(stack: Stack) -> Tensors:
        group = symmetries(stack.architecture)
        drawn = int(seeds.spawn(1)[0].generate_state(1)[0])
        elements = random(group, len(stack), drawn, permutation=permutation, scaling=scaling)
        return apply(group, elements, stack.arrays())

    return models.mapped(move)
