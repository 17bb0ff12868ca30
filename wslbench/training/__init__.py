"""The stacked training loop, batch-norm re-estimation and evaluation: many models as one computation."""

from wslbench.training.augmentation import Augmentation
from wslbench.training.batch_norm import reestimate_batch_norm
from wslbench.training.loop import RunSettings, TrainingResult, train_stack
from wslbench.training.measure import Performance, logits_of, performance
from wslbench.training.objectives import Classification, Convection, Language, Objective
from wslbench.training.optimisation import Optimisation
from wslbench.training.pass_size import PassSize, measure_pass_size
from wslbench.training.seeding import seed_from
from wslbench.training.stack import ModelStack
from wslbench.training.training_data import TrainingData

TRAINER_VERSION = 1
"""Raised whenever the same recipe and seed would give other weights than before."""

__all__ = [
    "TRAINER_VERSION",
    "Augmentation",
    "Classification",
    "Convection",
    "Language",
    "ModelStack",
    "Objective",
    "Optimisation",
    "PassSize",
    "Performance",
    "RunSettings",
    "TrainingData",
    "TrainingResult",
    "logits_of",
    "measure_pass_size",
    "performance",
    "reestimate_batch_norm",
    "seed_from",
    "train_stack",
]
