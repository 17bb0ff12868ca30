"""The stacked training loop, batch-norm re-estimation and evaluation: many models as one computation."""

from wslbench.training.augmentation import Augmentation
from wslbench.training.batch_norm import reestimate_batch_norm
from wslbench.training.loop import Optimisation, TrainingResult, train_stack
from wslbench.training.measure import Performance, logits_of, performance
from wslbench.training.seeding import seed_from
from wslbench.training.stack import ModelStack

TRAINER_VERSION = 1
"""Raised whenever the same recipe and seed would give other weights than before."""

__all__ = [
    "TRAINER_VERSION",
    "Augmentation",
    "ModelStack",
    "Optimisation",
    "Performance",
    "TrainingResult",
    "logits_of",
    "performance",
    "reestimate_batch_norm",
    "seed_from",
    "train_stack",
]
