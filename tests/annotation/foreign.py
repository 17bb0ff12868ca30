"""Zoos that come with weights and hyper-parameters alone, as somebody else's do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from wslbench.zoo import DataSetCard, Zoo, ZooWriter

GIVEN = ["cell_id", "seed", "epoch", "measured", "architecture", "width", "learning_rate"]


def foreign_zoo(built: Zoo, path: Path, keep=lambda row: True, change=None, data_set: str | None = None) -> Zoo:
    """The weights of a zoo that was built here, with nothing measured.

    Parameters
    ----------
    keep
        Says of a row of the table whether the checkpoint is there.
    change
        Changes the tensors ``{name: [*shape]}`` of a checkpoint in place, told its row.
    data_set
        What the card names; None: the true one.
    """
    table = built.table.reset_index()
    table = table[[bool(keep(row)) for _, row in table.iterrows()]]
    card = built.card.model_copy(
        update={
            "recipe": {},
            "phase_rule": None,
            "annotation": None,
            "data_set": DataSetCard(name=data_set or built.card.data_set.name, train_size=240, test_size=120),
        }
    )
    writer = ZooWriter(path, {"foreign": True})
    for cell_id, rows in table.groupby("cell_id"):
        weights = {}
        for epoch, some in rows.groupby("epoch"):
            (stack,) = built.models(some["model_id"]).by_architecture()
            tensors = {name: np.array(stack[name]) for name in stack.keys()}  # noqa: SIM118
            if change is not None:
                for place, (_, row) in enumerate(some.iterrows()):
                    change(row, {name: array[place] for name, array in tensors.items()})
            weights[int(epoch)] = tensors
        writer.stage(
            cell_id, rows[GIVEN], weights, pd.DataFrame({"cell_id": [], "seed_a": [], "seed_b": []}, dtype=object)
        )
    pairs = pd.DataFrame({"cell_id": [], "seed_a": [], "seed_b": []})
    return writer.compact(card, table[GIVEN].assign(phase=None), pairs, [])


OPTIONS = {
    "train_subset": 240,
    "test_subset": 120,
    "label_noise": 0.1,
    "curve": {"epochs": 1, "batch_size": 80, "learning_rate": 0.05, "schedule": "cosine"},
    "hessian": {"subset_size": 32, "maximum_probes": 8, "lanczos_iterations": 3},
    "cutoffs": {"train_loss": 1.5, "cka": 0.6},
    "longer_curve_pairs": 1,
}
"""What the tiny recipe says, as its user would write it down."""
