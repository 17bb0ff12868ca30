"""A tiny zoo of random networks whose weights carry their annotations, so that methods have something to find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from wslbench.architectures import Architecture
from wslbench.zoo import PROTOCOLS, Axis, DataSetCard, Zoo, ZooCard, ZooWriter, make_split
from wslbench.zoo.identity import run_id
from wslbench.zoo.template import template

NAME = "tiny-cnn"
WIDTHS = (2, 3)
LEARNING_RATES = (0.01, 0.02, 0.05, 0.1, 0.2)
SEEDS = (0, 1, 2)
EPOCHS = (2, 10)  # early, measured
PHASES = ("I", "II", "III", "IV-A", "IV-B")
ARCHITECTURES = {f"w{width}": Architecture(builder="cnn", arguments={"width": width}) for width in WIDTHS}
CELLS = {
    f"w{width}-lr{rate}": (width, rate, (column + shift) % len(PHASES))
    for shift, width in enumerate(WIDTHS)  # each phase in two cells, one a width, at neighbouring rates
    for column, rate in enumerate(LEARNING_RATES)
}
NOISE_SEED, WEIGHTS_SEED = 7, 8
RECIPE = {"widths": list(WIDTHS), "learning_rates": list(LEARNING_RATES), "trainer": "none: random weights"}


def tiny_card() -> ZooCard:
    """The tiny zoo's card."""
    return ZooCard(
        name=NAME,
        content_version="1",
        licence="MIT",
        citation="none",
        description="Random networks for tests",
        modality="image",
        data_set=DataSetCard(name="none", train_size=100, test_size=597, classes=10),
        architectures=ARCHITECTURES,
        load=Axis(column="width", label="width", values=list(WIDTHS)),
        temperature=Axis(column="learning_rate", label="learning rate", values=list(LEARNING_RATES)),
        measured_epoch=EPOCHS[-1],
        recipe=RECIPE,
        phase_rule={"text": "made up", "epsilon": 2.0},
        software={"wslbench": "test"},
    )


def cell_rows(cell_id: str) -> pd.DataFrame:
    """Rows of one cell's checkpoints: every order parameter is the phase's, plus a little noise."""
    width, rate, phase = CELLS[cell_id]
    noise = np.random.default_rng([NOISE_SEED, width, round(1000 * rate)])
    rows = []
    for epoch in EPOCHS:
        measured = epoch == EPOCHS[-1]
        for seed in SEEDS:
            level = phase + 0.1 * noise.normal() + (0.0 if measured else -0.5)
            accuracy = 1 / (1 + np.exp(-0.5 * level - 0.3))
            landscape = {
                "hessian_trace": 200.0 * np.exp(-level),
                "hessian_trace_se": 0.5,
                "hessian_top_eigenvalue": 20.0 * np.exp(-level),
                "hessian_top_residual": 1e-3,
                "mode_connectivity": -8.0 + 2.0 * phase,
                "mode_connectivity_se": 0.4,
                "cka": 0.5 + 0.1 * phase,
                "cka_se": 0.02,
            }
            rows.append(
                {
                    "run_id": run_id(cell_id, seed),
                    "cell_id": cell_id,
                    "seed": seed,
                    "epoch": epoch,
                    "measured": measured,
                    "architecture": f"w{width}",
                    "width": width,
                    "learning_rate": rate,
                    "batch_size": 16,
                    "train_loss": np.exp(-level),
                    "train_accuracy": accuracy,
                    "test_loss": 1.2 * np.exp(-level) + 0.05 * abs(noise.normal()),
                    "test_accuracy": round(597 * accuracy * 0.95) / 597,
                    **{name: value if measured else np.nan for name, value in landscape.items()},
                    "loss_slope": -0.01,
                    "phase": PHASES[phase],
                    "phase_probability": 0.9 if phase % 2 else 0.7,
                    "unfinished": False,
                }
            )
    return pd.DataFrame(rows)


def cell_weights(cell_id: str, rows: pd.DataFrame) -> dict[int, dict[str, np.ndarray]]:
    """Random weights; their scale tells the phase and the read-out's bias the test accuracy."""
    width, rate, phase = CELLS[cell_id]
    random = np.random.default_rng([WEIGHTS_SEED, width, round(1000 * rate)])
    shapes = template(ARCHITECTURES[f"w{width}"]).stored
    weights: dict[int, dict[str, np.ndarray]] = {}
    for epoch in EPOCHS:
        accuracy = rows.loc[rows["epoch"] == epoch, "test_accuracy"].to_numpy()
        stacks = {
            name: random.normal(size=(len(SEEDS), *shape)) * (0.2 + 0.2 * phase) for name, shape in shapes.items()
        }
        stacks["fc.bias"] = stacks["fc.bias"] * 0.05 + accuracy[:, None]
        for name in stacks:
            if name.endswith("running_var"):
                stacks[name] = np.abs(stacks[name]) + 0.1
        weights[epoch] = {name: stack.astype(np.float32) for name, stack in stacks.items()}
    return weights


def cell_pairs(cell_id: str) -> pd.DataFrame:
    """Rows of one cell's seed pairs."""
    phase = CELLS[cell_id][2]
    pairs = [(0, 1), (0, 2), (1, 2)]
    return pd.DataFrame(
        [
            {
                "cell_id": cell_id,
                "seed_a": a,
                "seed_b": b,
                "mode_connectivity": -8.0 + 2.0 * phase,
                "cka": 0.5 + 0.1 * phase,
            }
            for a, b in pairs
        ]
    )


def stage_tiny_cells(writer: ZooWriter) -> None:
    """Stage every cell of the tiny zoo."""
    for cell_id in CELLS:
        rows = cell_rows(cell_id)
        writer.stage(cell_id, rows, cell_weights(cell_id, rows), cell_pairs(cell_id))


def make_tiny_zoo(path: Path) -> Zoo:
    """Build the tiny zoo at ``path``: 2 widths × 5 learning rates, 3 seeds, 2 epochs, 5 phases, a split a protocol."""
    writer = ZooWriter(path, RECIPE)
    stage_tiny_cells(writer)
    staged = [writer.read_staged(cell_id) for cell_id in CELLS]
    table = pd.concat([cell.rows for cell in staged], ignore_index=True)
    pairs = pd.concat([cell.pairs for cell in staged], ignore_index=True)
    cells = table.drop_duplicates("cell_id")
    splits = [
        make_split(cells, table, protocol, seed=0, load="width", temperature="learning_rate") for protocol in PROTOCOLS
    ]
    return writer.compact(tiny_card(), table, pairs, splits)
