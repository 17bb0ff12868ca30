"""A tree of the Model Zoo Dataset, once it is in, is measured on the images that its networks saw."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from tests.annotation.foreign import OPTIONS as MEASURED
from tests.engines.here import Here
from tests.interop.test_model_zoo import OPTIONS, network, write_run
from wslbench.annotation.annotate_zoo import annotate_zoo
from wslbench.annotation.options import AnnotationOptions
from wslbench.architectures import Architecture
from wslbench.interop import import_zoo
from wslbench.zoo import verify

SIZES = {"train": ("train", 60000), "test": ("t10k", 10000)}
LEARNED, UNTRAINED = 0.02, 0.01  # learning rates, as the tree has them


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Files as MNIST's, in which scikit-learn's digits recur: ``{part: (pixels in −1…1, labels)}``."""
    digits = load_digits()
    large = np.pad(np.kron(digits.images * 15.9, np.ones((3, 3))), ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    parts = {}
    for part, (prefix, size) in SIZES.items():
        own = np.resize(np.arange(0, 1400) if part == "train" else np.arange(1400, 1797), size)
        pixels, labels = large[own], digits.target[own].astype(np.uint8)
        header = struct.pack(">iiii", 2051, size, 28, 28)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(struct.pack(">ii", 2049, size) + labels.tobytes())
        parts[part] = torch.from_numpy(pixels)[:, None] / 127.5 - 1, torch.from_numpy(labels).long()
    monkeypatch.setenv("WSLBENCH_DATA", str(folder.parent))
    return parts


def train(described: Architecture, pixels: torch.Tensor, labels: torch.Tensor, seed: int) -> torch.nn.Module:
    """A network that knows its digits."""
    torch.manual_seed(seed)
    made = described.module()
    optimiser = torch.optim.Adam(made.parameters(), lr=0.005)
    for _ in range(15):
        for rows in torch.randperm(len(labels)).split(50):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(made(pixels[rows]), labels[rows]).backward()
            optimiser.step()
    return made.eval()


@pytest.mark.slow
def test_losses_accuracies_and_phases_are_of_the_images_that_the_networks_saw(
    images: dict[str, tuple[torch.Tensor, torch.Tensor]], tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    written = {}
    pixels, labels = images["train"]
    told = {"training::batchsize": 8, "optim::momentum": 0.9, "optim::wd": 1e-4, "optim::optimizer": "sgd"}
    for rate in (LEARNED, UNTRAINED):
        for seed in range(3):
            folder = write_run(tree, network(28), "checkpoint_{}", seed, **{"optim::lr": rate}, **told)
            made = network(28).module()
            if rate == LEARNED:
                made = train(network(28), pixels[:1400], labels[:1400], seed)
            else:
                torch.nn.init.zeros_(list(made.parameters())[-2])  # one class for every image
            torch.save(made.state_dict(), folder / "checkpoint_25" / "checkpoints")
            written[f"{folder.name}/checkpoint_25/checkpoints"] = made
    imported = import_zoo(tree, "modelzoo", tmp_path / "zoo", OPTIONS)
    seen = {
        "data_set": "mnist",
        "data_arguments": {"mean": 0.5, "std": [0.5]},
        "label_noise": 0.0,
        "train_subset": 1400,
        "test_subset": 397,
    }
    zoo = annotate_zoo(imported, AnnotationOptions.model_validate(MEASURED | seen), Here()).zoo

    assert verify(zoo) == []
    table = zoo.table.query("measured")
    assert len(table) == 6
    learned = table["learning_rate"] == LEARNED
    assert table.loc[learned, "phase"].notna().all()
    assert table.loc[~learned, "dead"].all()
    assert table.loc[~learned, "phase"].isna().all()
    with torch.no_grad():
        for row in table.itertuples():
            for part in ("train", "test"):
                pixels, labels = images[part]
                outputs = written[row.file](pixels[:1400])
                accuracy = float((outputs.argmax(1) == labels[:1400]).float().mean())
                loss = float(torch.nn.functional.cross_entropy(outputs, labels[:1400]))
                # Images are a draw from the file in which each digit recurs: the same ones, in other numbers.
                assert getattr(row, f"{part}_accuracy") == pytest.approx(accuracy, abs=0.06)
                assert getattr(row, f"{part}_loss") == pytest.approx(loss, rel=0.3, abs=0.02)
