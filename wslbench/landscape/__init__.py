"""Order parameters of the loss landscape and the phases that follow from them.

Hessians and curves need torch and stand in ``wslbench.landscape.hessian``, ``.connectivity`` and
``.similarity``; what is named here needs numpy and pandas only.
"""

from wslbench.landscape.otsu import Cutoff, otsu
from wslbench.landscape.phases import (
    ORDER_PARAMETERS,
    PHASES,
    PhaseCutoffs,
    assign_phases,
    fit_cutoffs,
    phase_probability,
)

__all__ = [
    "ORDER_PARAMETERS",
    "PHASES",
    "Cutoff",
    "PhaseCutoffs",
    "assign_phases",
    "fit_cutoffs",
    "otsu",
    "phase_probability",
]
