"""What networks are trained on and judged by: classification of images, PINNs on convection, language models."""

from wslbench.training.objectives._objective import Batch, CleanBatch, DrawnSamples, Network, Objective, Side, Values
from wslbench.training.objectives.classification import Classification
from wslbench.training.objectives.convection import Convection
from wslbench.training.objectives.language import Language

__all__ = [
    "Batch",
    "Classification",
    "CleanBatch",
    "Convection",
    "DrawnSamples",
    "Language",
    "Network",
    "Objective",
    "Side",
    "Values",
]
