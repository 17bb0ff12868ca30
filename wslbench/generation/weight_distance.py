"""Distance between weights once symmetries are folded out; reported beside novelty, and never in its place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wslbench.landscape.alignment import aligned_ends
from wslbench.training import ModelStack

FloatArray = npt.NDArray[np.float64]


def weight_distance(drawn: ModelStack, reference: ModelStack) -> FloatArray:
    """How far networks are from reference networks after weight matching, relative to the references' norm.

    Parameters
    ----------
    drawn, reference
        ``[n]`` networks each, of one architecture, row with row.

    Returns
    -------
    ``[n]``: ``‖g − r‖ / ‖r‖`` over all parameters, g brought as near to r by permutations and scales as weight matching
    finds. That is a local optimum, so the distance is an upper bound; of a disguised copy it is 0. About √2 for
    networks of equal norm that have nothing in common. NaN or infinite where a weight is.

    Raises
    ------
    ArchitectureError
        If the symmetries of the architecture cannot be derived.
    """
    aligned = aligned_ends(reference, drawn)
    difference, size = np.zeros(drawn.size), np.zeros(drawn.size)
    for name, parameter in reference.parameters.items():
        own = parameter.double().flatten(1)
        difference += (aligned.parameters[name].double().flatten(1) - own).square().sum(1).cpu().numpy()
        size += own.square().sum(1).cpu().numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(difference / size))
