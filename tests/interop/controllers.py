"""A small foreign population in the layout ``state-dicts``: small controllers, a third in each kind of file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.numpy import save_file

from wslbench.architectures import Architecture
from wslbench.interop import ImportOptions

ARCHITECTURE = Architecture(
    builder="mlp", arguments={"in_features": 5, "hidden": [6, 6], "out_features": 5, "activation": "relu"}
)
OPTIONS = ImportOptions("controllers", ARCHITECTURE, "tau", "previous_advisory", "encounters", 1000)
SHAPES = {name: tuple(value.shape) for name, value in ARCHITECTURE.module().state_dict().items()}


def write_controllers(folder: Path) -> Path:
    """A grid of 3 x 4 networks, one file each, and ``metadata.csv``; the last bias is the network's score."""
    folder.mkdir()
    generator = np.random.default_rng(3)
    rows = []
    for number in range(12):
        score = round(float(generator.uniform()), 4)
        tensors = {name: generator.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
        tensors["layers.2.bias"][:] = score
        file = folder / f"net{number}{('.npz', '.pt', '.safetensors')[number % 3]}"
        if file.suffix == ".npz":
            np.savez(file, **tensors)
        elif file.suffix == ".pt":
            torch.save({name: torch.from_numpy(tensor) for name, tensor in tensors.items()}, file)
        else:
            save_file(tensors, file)
        rows.append({"path": file.name, "previous_advisory": number // 4, "tau": number % 4, "score": score})
    pd.DataFrame(rows).to_csv(folder / "metadata.csv", index=False)
    return folder
