"""Judging generated weights: by what networks compute, not by where their weights lie.

Published generators mostly return near-copies of the networks that they were trained on (Zeng et al. 2025, arXiv
2506.07998), and a distance between weights is fooled by any symmetry. So novelty is functional, and accuracy is judged
at equal novelty.
"""

from wslbench.generation import comparators
from wslbench.generation.envelope import Envelope, upper_envelope
from wslbench.generation.functional import Originality, disagreement, error_overlap, originality
from wslbench.generation.lift import Draw, Lift, lift_of
from wslbench.generation.phase_of_draw import PhaseOfDraw, phase_of_draw
from wslbench.generation.quality import Quality, quality
from wslbench.generation.weight_distance import weight_distance

__all__ = [
    "Draw",
    "Envelope",
    "Lift",
    "Originality",
    "PhaseOfDraw",
    "Quality",
    "comparators",
    "disagreement",
    "error_overlap",
    "lift_of",
    "originality",
    "phase_of_draw",
    "quality",
    "upper_envelope",
    "weight_distance",
]
