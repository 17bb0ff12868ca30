"""The layout ``smallcnn``: files as TensorFlow's trainer left them, against a convolution computed both ways."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from wslbench.errors import ZooFormatError
from wslbench.interop import ImportOptions, import_zoo

OPTIONS = ImportOptions("small", None, None, None, "mnist", 60000, test_size=10000)
SHAPES = {
    "sequential/conv2d/bias:0": (16,),
    "sequential/conv2d/kernel:0": (3, 3, 1, 16),
    "sequential/conv2d_1/bias:0": (16,),
    "sequential/conv2d_1/kernel:0": (3, 3, 16, 16),
    "sequential/conv2d_2/bias:0": (16,),
    "sequential/conv2d_2/kernel:0": (3, 3, 16, 16),
    "sequential/dense/bias:0": (10,),
    "sequential/dense/kernel:0": (16, 10),
}
STEPS = (0, 40, 86)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Five networks at three epochs."""
    return write_small_cnn_zoo(tmp_path / "mnist")


def write_small_cnn_zoo(folder: Path) -> Path:
    """The files of five networks at three epochs."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    sizes = [int(np.prod(shape)) for shape in SHAPES.values()]
    assert sum(sizes) == 4970  # as published
    ends = np.cumsum(sizes)
    layout = {"varname": list(SHAPES), "start_idx": ends - sizes, "end_idx": ends, "shape": map(str, SHAPES.values())}
    pd.DataFrame(layout).to_csv(folder / "layout.csv", index=False)
    rows = [
        {
            "config.activation": "relu",
            "config.learning_rate": 0.001 * (number + 1) + 1e-9,
            "config.train_fraction": (0.1, 0.25, 0.5, 1.0, 1.0)[number],
            "config.random_seed": 42,
            "modeldir": f"/somewhere/{number}",
            "step": step,
            "laststep": step == STEPS[-1],
            "test_accuracy": 0.1 + step / 100,
            "train_loss": float("nan") if number == 3 else 1.5,
        }
        for number in range(5)
        for step in STEPS
    ]
    pd.DataFrame(rows).to_csv(folder / "metrics.csv.gz", index=False)
    np.save(folder / "weights.npy", generator.normal(size=(len(rows), 4970)).astype(np.float32))
    return folder


def test_networks_compute_what_they_computed(source: Path, tmp_path: Path) -> None:
    zoo = import_zoo(source, "smallcnn", tmp_path / "zoo", OPTIONS)
    assert len(zoo.table) == 15
    assert zoo.table["cell_id"].nunique() == 5
    assert zoo.card.measured_epoch == 86
    assert zoo.protocols == ["new-load", "new-temperature"]
    assert sorted(zoo.card.load.values) == [0.1, 0.25, 0.5, 1.0]
    weights = np.load(source / "weights.npy")
    for model, line in zip(zoo.models(), zoo.table["line"], strict=True):
        kernel = weights[line, 16:160].reshape(3, 3, 1, 16)  # HWIO
        image = np.random.default_rng(1).normal(size=(3, 3))
        by_hand = np.einsum("hw,hwo->o", image, kernel[:, :, 0]) + weights[line, :16]
        state = model.state_dict()
        ours = torch.nn.functional.conv2d(
            torch.tensor(image, dtype=torch.float32)[None, None], state["conv2d.weight"], state["conv2d.bias"]
        )
        assert np.allclose(ours.numpy().ravel(), by_hand, atol=1e-5)
        assert np.array_equal(state["dense.weight"].numpy(), weights[line, -160:].reshape(16, 10).T)
        assert tuple(state["conv2d_1.weight"].shape) == (16, 16, 3, 3)


def test_columns_of_the_zoo_format_are_kept_under_another_name(source: Path, tmp_path: Path) -> None:
    metrics = pd.read_csv(source / "metrics.csv.gz").assign(epoch=9, file="../x", line=99)
    metrics.to_csv(source / "metrics.csv.gz", index=False)
    table = import_zoo(source, "smallcnn", tmp_path / "zoo", OPTIONS).table
    assert set(table["epoch"]) == set(STEPS)
    assert set(table["file"]) == {"weights.npy"}
    assert table[["config_epoch", "config_file", "config_line"]].drop_duplicates().to_numpy().tolist() == [
        [9, "../x", 99]
    ]


def changed(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / name
        packed = path.suffix == ".gz"
        text = gzip.decompress(path.read_bytes()).decode() if packed else path.read_text()
        path.write_bytes(gzip.compress(change(text).encode()) if packed else change(text).encode())

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "layout.csv").unlink(), r"no file layout\.csv"),
        (lambda folder: np.save(folder / "weights.npy", np.zeros((14, 4970))), "15 checkpoints, weights.npy has 14"),
        (lambda folder: np.save(folder / "weights.npy", np.zeros((15, 4971), np.float32)), "4970 columns of 4971"),
        (lambda folder: np.save(folder / "weights.npy", np.full((15, 4970), np.inf)), "no network whose .* finite"),
        (lambda folder: np.save(folder / "weights.npy", np.full((15, 4970), 0.1)), "float32 cannot hold exactly"),
        (lambda folder: np.save(folder / "weights.npy", np.zeros(15)), "no matrix"),
        (
            lambda folder: np.save(folder / "weights.npy", np.array([[Exploding()]], object), allow_pickle=True),
            "cannot be mapped",
        ),
        (lambda folder: (folder / "weights.npy").write_bytes(pickle.dumps(Exploding())), "cannot be mapped"),
        (lambda folder: (folder / "metrics.csv.gz").write_bytes(b"plain"), "cannot be read as CSV in gzip"),
        (changed("metrics.csv.gz", lambda text: text.replace("step", "stride", 1)), "lacks the column 'step'"),
        (changed("layout.csv", lambda text: text.replace("(16,)", "(15,)", 1)), "does not fill"),
        (changed("layout.csv", lambda text: text.replace("(16,)", "open('x')", 1)), "is no shape"),
        (changed("layout.csv", lambda text: text.replace("sequential/dense/bias:0", "x")), "is no variable's name"),
    ],
)
def test_what_is_malformed_is_refused_by_name(
    spoil: Callable[[Path], object], message: str, source: Path, tmp_path: Path
) -> None:
    spoil(source)
    with pytest.raises(ZooFormatError, match=message):
        import_zoo(source, "smallcnn", tmp_path / "zoo", OPTIONS)


class Exploding:
    """Fails the test when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return pytest.fail, ("unpickled",)
