"""Whether a zoo's networks take the samples of a data set."""

from __future__ import annotations

import torch

from wslbench.annotation.options import AnnotationOptions
from wslbench.datasets import ConvectionDataset, Dataset
from wslbench.errors import LandscapeError
from wslbench.zoo import Zoo


def check_networks_fit(zoo: Zoo, options: AnnotationOptions) -> None:
    """Refuse a data set whose samples the networks do not take, or for which they have the wrong outputs.

    Raises
    ------
    DatasetError
        If the data set is not there.
    LandscapeError
        With both shapes.
    """
    data = options.training_data(zoo.name).load()
    for name, architecture in zoo.card.architectures.items():
        if isinstance(data, ConvectionDataset):
            inputs, wanted = torch.zeros(1, 2, device="meta"), 1
        elif isinstance(data, Dataset):
            inputs, wanted = torch.zeros(1, *data.train_inputs.shape[1:], device="meta"), data.classes
        else:
            context = int(str(architecture.arguments.get("context", 1)))
            inputs, wanted = torch.zeros(1, context, dtype=torch.int64, device="meta"), data.vocabulary
        where = f"zoo {zoo.name!r}, architecture {name!r}"
        with torch.device("meta"), torch.no_grad():
            network = architecture.module().eval()
            try:
                outputs = network(inputs)
            except (RuntimeError, ValueError) as error:
                raise LandscapeError(
                    f"{where} does not take inputs of shape {list(inputs.shape[1:])}, as data set {data.name} has them "
                    f"({' '.join(str(error).split())}): name the data set of the networks with --data-set"
                ) from error
        if outputs.shape[-1] != wanted:
            raise LandscapeError(
                f"{where} has {outputs.shape[-1]} outputs, but data set {data.name} needs {wanted}: name the data set "
                "of the networks with --data-set"
            )
