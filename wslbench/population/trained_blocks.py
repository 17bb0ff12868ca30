"""Trained columns on disk: what a killed build need not train again.

One safetensors file a column, written atomically beside the staged cells; measuring reads it back.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from wslbench.architectures import Architecture
from wslbench.population.column import TrainedColumn
from wslbench.training import ModelStack
from wslbench.zoo.atomic import replacing

FOLDER = ".columns"
_RUNNING_LOSS = "running_loss"


def column_path(staging: Path, name: str) -> Path:
    """Where the trained column of an architecture's name is kept."""
    return staging / FOLDER / f"{name}.safetensors"


def save_column(path: Path, column: TrainedColumn) -> None:
    """Write a trained column, whole or not at all."""
    tensors = {_RUNNING_LOSS: torch.from_numpy(column.running_loss)}
    for epoch, stack in column.checkpoints.items():
        for name, tensor in (stack.parameters | stack.statistics).items():
            tensors[f"{epoch}/{name}"] = tensor.contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"epochs": json.dumps(list(column.checkpoints))})


def read_column(path: Path, architecture: Architecture) -> TrainedColumn | None:
    """A trained column, or None if it is not there or not whole: it is then trained again."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            epochs: list[int] = json.loads(file.metadata()["epochs"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, KeyError, ValueError):
        return None
    checkpoints = {
        epoch: ModelStack.from_tensors(
            architecture,
            {n.split("/", 1)[1]: tensor for n, tensor in tensors.items() if n.startswith(f"{epoch}/")},
        )
        for epoch in epochs
    }
    return TrainedColumn(checkpoints, tensors[_RUNNING_LOSS].numpy())
