"""Disguise: the same functions, other weights."""

from __future__ import annotations

from functools import partial

import numpy as np

from wslbench.symmetry.derivation import symmetries
from wslbench.symmetry.elements import apply, random
from wslbench.zoo.models import Models, Source


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
    sources = []
    which, rows = np.zeros(len(models), np.intp), np.zeros(len(models), np.intp)
    for number, stack in enumerate(models.by_architecture()):
        group = symmetries(stack.architecture)
        drawn = int(seeds.spawn(1)[0].generate_state(1)[0])
        elements = random(group, len(stack), drawn, permutation=permutation, scaling=scaling)
        tensors = apply(group, elements, {name: stack[name] for name in stack.keys()})  # noqa: SIM118 - no mapping
        for tensor in tensors.values():
            tensor.flags.writeable = False
        sources.append(Source(stack.name, stack.architecture, partial(dict, tensors)))
        which[stack.positions], rows[stack.positions] = number, np.arange(len(stack))
    return Models(models.ids, sources, which, rows)
