"""What protocols, kinds, roles and ceilings mean, in a sentence each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from wslbench.tasks import TaskKind

PROTOCOLS: Mapping[str, str] = MappingProxyType(
    {
        "phase-stratified": "Interpolation. Whole cells are held out in folds, every phase in each where counts allow.",
        "new-load": "Extrapolation. Contiguous blocks of loads are held out: the test networks are smaller, larger or "
        "harder-pressed than any that was trained on.",
        "new-temperature": "Extrapolation. Contiguous blocks of temperatures are held out: the test networks were "
        "trained colder or hotter than any that was trained on.",
        "new-phase": "Extrapolation. One phase is held out: does the method know what it never saw?",
        "new-zoo": "Transfer. Trained on all of one zoo, tested on another one.",
        "within-cell-seeds": "Seeds of the same cells are held out; only generators are asked so, and judged by "
        "functional novelty.",
    }
)

KINDS: Mapping[TaskKind, str] = MappingProxyType(
    {
        "phase_classification": "phase classification",
        "accuracy_prediction": "regression",
        "weight_generation": "weight generation",
    }
)

CEILINGS: Mapping[str, str] = MappingProxyType(
    {
        "cell_means": "one who knows every cell's mean exactly; bounds the oracle, and a method that reads more out of "
        "the weights can pass it",
        "continuous": "a perfect order without ties, where targets are tied",
        "label_noise": "one who always names the committed phase, were phases drawn anew from the bootstrap over seeds",
        "held_out_networks": "real networks of held-out seeds",
    }
)
