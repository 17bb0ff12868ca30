"""Trained blocks on disk: what a killed build need not train again.

One safetensors file a block, written atomically beside the staged cells; measuring reads it back. It goes away when
all cells of the block are staged.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from wslbench.population.block import TrainedBlock
from wslbench.population.blocks import Block
from wslbench.training import ModelStack
from wslbench.zoo.atomic import replacing

FOLDER = ".blocks"
_RUNNING_LOSS = "running_loss"


def block_path(staging: Path, block: Block) -> Path:
    """Where a trained block is kept."""
    return staging / FOLDER / f"{block.key}.safetensors"


def save_block(path: Path, trained: TrainedBlock) -> None:
    """Write a trained block, whole or not at all."""
    tensors = {_RUNNING_LOSS: torch.from_numpy(trained.running_loss)}
    for epoch, stack in trained.checkpoints.items():
        for name, tensor in (stack.parameters | stack.statistics).items():
            tensors[f"{epoch}/{name}"] = tensor.cpu().contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        save_file(tensors, temporary, {"epochs": json.dumps(list(trained.checkpoints))})


def read_block(path: Path, block: Block) -> TrainedBlock | None:
    """A trained block, or None if it is not there or not whole: it is then trained again."""
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
            block.architecture,
            {n.split("/", 1)[1]: tensor for n, tensor in tensors.items() if n.startswith(f"{epoch}/")},
        )
        for epoch in epochs
    }
    return TrainedBlock(checkpoints, tensors[_RUNNING_LOSS].numpy())
