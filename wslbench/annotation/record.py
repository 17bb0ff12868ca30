"""What a card says of how its order parameters were measured."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import torch

from wslbench.annotation.options import AnnotationOptions
from wslbench.annotation.order_parameters import hessian_samples
from wslbench.architectures import Architecture

_SIDES: tuple[Literal["train", "test"], ...] = ("train", "test")


def annotation_record(zoo: str, architecture: Architecture, options: AnnotationOptions) -> dict[str, Any]:
    """The card's ``annotation``: definition, options, the numbers of the samples of Hessians, software."""
    definition = options.settled_definition()
    hessian = definition.hessian or options.hessian
    coefficients = None if options.coefficient is None else [1.0]
    objective = options.training_data(zoo).objective(architecture, coefficients)
    sizes = {"train": objective.train_size, "test": objective.test_size}
    subset = {
        side: ",".join(map(str, hessian_samples(zoo, sizes[side], hessian.subset_size, side).tolist()))
        for side in _SIDES
    }
    return {
        "definition": definition.model_dump(mode="json"),
        "options": options.model_dump(mode="json"),
        "hessian_subset": subset,
        "software": {
            "wslbench": version("wslbench"),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
