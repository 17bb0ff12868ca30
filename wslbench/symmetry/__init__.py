"""Symmetries: which changes of a network's weights leave its function alone, derived from the traced network."""

from wslbench.symmetry.alignment import align
from wslbench.symmetry.canonical import canonicalise
from wslbench.symmetry.derivation import derive, symmetries
from wslbench.symmetry.disguise import disguise
from wslbench.symmetry.elements import Elements, apply, compose, identity, inverse, random
from wslbench.symmetry.group import Orbit, SymmetryGroup

__all__ = [
    "Elements",
    "Orbit",
    "SymmetryGroup",
    "align",
    "apply",
    "canonicalise",
    "compose",
    "derive",
    "disguise",
    "identity",
    "inverse",
    "random",
    "symmetries",
]
