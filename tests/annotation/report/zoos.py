"""Zoos as the report sees them: tables by hand, and a written one that has everything an annotation can give."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from wslbench.annotation.report.measurements import Measurements, measurements
from wslbench.architectures import Architecture
from wslbench.landscape import PHASES, assign_phases, fit_cutoffs
from wslbench.zoo import Axis, DataSetCard, Zoo, ZooCard, ZooWriter
from wslbench.zoo.identity import run_id
from wslbench.zoo.template import template

POINTS = (0.0, 0.25, 0.5, 0.75, 1.0)
CUTOFFS = {"train_loss": 0.02, "cka": 0.8}
FITTED = CUTOFFS | {"train_loss_separability": 0.9, "train_loss_null": 0.8, "cka_separability": 0.9, "cka_null": 0.8}


def card_of(loads: list[float], temperatures: list[float], **changes: Any) -> ZooCard:
    """A card for a grid of width by learning rate."""
    fields: dict[str, Any] = {
        "name": "made-up",
        "content_version": "1",
        "licence": "MIT",
        "citation": "none",
        "description": "By hand",
        "modality": "image",
        "data_set": DataSetCard(name="none", train_size=100),
        "architectures": {"w2": Architecture(builder="cnn", arguments={"width": 2})},
        "load": Axis(column="width", label="width", values=loads),
        "temperature": Axis(column="learning_rate", label="learning rate", values=temperatures),
        "measured_epoch": 10,
        "recipe": {"hessian": {"relative_tolerance": 0.1}},
        "phase_rule": {"rule": "by hand", "cutoffs": dict(CUTOFFS)},
        "software": {"wslbench": "test"},
    }
    return ZooCard(**fields | changes)


def zoo_by_hand(cells: list[dict[str, Any]], card: ZooCard | None = None) -> Any:
    """A zoo as far as the report reads one.

    A cell gives ``loss``, a value a seed; ``mc`` and ``cka``, a value a pair or one for all; what else a run (``runs``)
    or a pair (``pairs``) has, a value or a list each; the rest belongs to the cell. Cell i stands at width i.
    """
    table, pairs = [], []
    for number, given in enumerate(cells, start=1):
        cell = dict(given)
        losses, of_runs, of_pairs = cell.pop("loss"), cell.pop("runs", {}), cell.pop("pairs", {})
        ends = list(combinations(range(len(losses)), 2))
        compared = {"mode_connectivity": cell.pop("mc"), "cka": cell.pop("cka"), **of_pairs}
        cell_id = cell.pop("cell_id", f"c{number}")
        for place, (a, b) in enumerate(ends):
            values = {name: value[place] if isinstance(value, list) else value for name, value in compared.items()}
            pairs.append({"cell_id": cell_id, "seed_a": a, "seed_b": b, "epoch": 10, **values})
        whole = {name: float(np.mean(compared[name])) if ends else np.nan for name in ("mode_connectivity", "cka")}
        for seed, loss in enumerate(losses):
            own = {name: value[seed] if isinstance(value, list) else value for name, value in of_runs.items()}
            row = {"run_id": f"{cell_id}-{seed}", "cell_id": cell_id, "seed": seed, "epoch": 10, "measured": True}
            places = {"width": float(number), "learning_rate": 0.1, "train_loss": loss}
            table.append({**row, **places, "phase": None, **whole, **own, **cell})
    frame = pd.DataFrame(table)
    frame.index = pd.Index([f"m{row}" for row in range(len(frame))], name="model_id")
    return SimpleNamespace(
        name="made-up",
        card=card or card_of([float(number) for number in range(1, len(cells) + 1)], [0.1]),
        table=frame,
        pairs=pd.DataFrame(pairs, columns=list(pairs[0]) if pairs else ["cell_id", "seed_a", "seed_b"]),
        versions={"weights": "w" * 64, "annotations": "a" * 64},
    )


def measured_by_hand(cells: list[dict[str, Any]], card: ZooCard | None = None) -> Measurements:
    """What the report makes of such a zoo."""
    return measurements(zoo_by_hand(cells, card))


WIDTHS = (2, 3, 4, 5)
RATES = (0.01, 0.03, 0.1, 0.3)
SEEDS = (0, 1, 2, 3)
NOISE = 0.5
"""Of the tolerance of connectivity, times the spread of errors."""


def make_annotated_zoo(path: Path, **changes: Any) -> Zoo:
    """A zoo with every column that an annotation may have: 4 x 4 cells of 4 seeds; one dead, one unfinished cell.

    Weights are random. ``changes`` are fields of the card.
    """
    runs, pairs = _annotated_tables()
    measured = runs[~runs["dead"]].groupby("cell_id")[["train_loss", "mode_connectivity", "cka"]].mean()
    measured["connectivity_tolerance"] = runs.groupby("cell_id")["connectivity_tolerance"].first()
    cutoffs = fit_cutoffs(measured)
    phases = assign_phases(measured, cutoffs)["phase"]
    runs["phase"] = runs["cell_id"].map(phases).astype(object).where(~runs["dead"], None)
    runs["phase_probability"] = runs["cell_id"].map(dict(zip(phases.index, np.linspace(0.5, 1, 15), strict=True)))
    former = {row: dict.fromkeys(PHASES, 0) for row in PHASES}
    for phase in phases:
        former[phase][phase] += 1
    former["I"]["II"] += 1
    rule = {
        "rule": "converged: train_loss < cut-off",
        "cutoffs": cutoffs.model_dump(mode="json"),
        "former": {"annotation_version": 1, "confusion": former, "changed": {"w2-lr0.3": ["I", "II"]}},
    }
    architectures = {f"w{width}": Architecture(builder="cnn", arguments={"width": width}) for width in WIDTHS}
    recipe = {"connectivity_noise": NOISE, "hessian": {"relative_tolerance": 0.1}}
    fields: dict[str, Any] = {"name": "annotated", "architectures": architectures, "recipe": recipe, "phase_rule": rule}
    fields["annotation"] = {"definition": "wslbench", "hessian": {"subset_size": 256, "relative_tolerance": 0.1}}
    card = card_of(list(WIDTHS), list(RATES), **fields | changes)
    writer = ZooWriter(path, recipe)
    for cell_id, own in runs.groupby("cell_id"):
        writer.stage(str(cell_id), own, {10: _weights(own)}, pairs[pairs["cell_id"] == cell_id])
    return writer.compact(card, runs, pairs, [])


def _annotated_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(5)
    runs, pairs = [], []
    for x, width in enumerate(WIDTHS):
        for y, rate in enumerate(RATES):
            cell_id = f"w{width}-lr{rate}"
            level = np.exp(-4.5 + 1.1 * y - 0.4 * x)  # cold and wide: converged
            losses = level * np.exp(0.1 * random.normal(size=len(SEEDS)))
            errors = 100 * losses
            depth, likeness = -6.0 + 2.2 * x + 0.9 * y, 0.5 + 0.1 * x - 0.03 * y  # wide: connected
            dead = (x, y) == (0, 3)
            own = [
                _pair(random, cell_id, a, b, errors, depth, likeness, longer=(a, b) in ((0, 1), (2, 3)))
                for a, b in combinations(SEEDS, 2)
            ]
            means = pd.DataFrame(own)[["mode_connectivity", "cka"]].mean()
            pairs += own
            # Trained twice as long, one cell becomes another: its seeds part.
            parting = -20.0 if (x, y) == (2, 0) else 0.0
            pairs += [
                {
                    **dict.fromkeys(row, np.nan),
                    **{name: row[name] for name in ("cell_id", "seed_a", "seed_b", "cka")},
                }
                | {"epoch": 20, "mode_connectivity": row["mode_connectivity"] + parting}
                | {f"train_error_{t:g}": row[f"train_error_{t:g}"] for t in POINTS}
                for row in own
            ]
            for seed in SEEDS:
                trace, eigenvalue = 900 * level, 90 * level
                runs.append(
                    {
                        "run_id": run_id(cell_id, seed), "cell_id": cell_id, "seed": seed, "epoch": 10,
                        "measured": True,
                        "architecture": f"w{width}", "width": width, "learning_rate": rate,
                        "train_loss": losses[seed], "test_loss": 1.3 * losses[seed],
                        "test_accuracy": 1 - losses[seed] / 2,
                        "continued_train_loss": losses[seed],
                        "hessian_trace": trace, "hessian_trace_se": trace * (0.2 if (x, seed) == (1, 2) else 0.05),
                        "hessian_top_eigenvalue": eigenvalue, "hessian_top_residual": 0.001 * eigenvalue,
                        "hessian_trace_test": 1.2 * trace, "hessian_trace_test_se": 0.05 * trace,
                        "hessian_top_eigenvalue_test": 1.2 * eigenvalue,
                        "hessian_top_residual_test": eigenvalue * (0.05 if (y, seed) == (2, 0) else 0.001),
                        "mode_connectivity": means["mode_connectivity"], "mode_connectivity_se": 0.5,
                        "cka": means["cka"], "cka_se": 0.01,
                        "connectivity_tolerance": NOISE * errors.std(ddof=1),
                        "unfinished": (x, y) == (2, 0), "dead": dead, "diverged": dead and seed == 1,
                    }
                )  # fmt: skip
    return pd.DataFrame(runs), pd.DataFrame(pairs)


def _pair(
    random: np.random.Generator,
    cell_id: str,
    a: int,
    b: int,
    errors: np.ndarray,
    depth: float,
    likeness: float,
    longer: bool,
) -> dict[str, Any]:
    """A curve whose middle lies ``-connectivity`` above the mean of its ends."""
    connectivity = depth + 0.3 * random.normal()
    row: dict[str, Any] = {"cell_id": cell_id, "seed_a": a, "seed_b": b, "epoch": 10}
    middle = (errors[a] + errors[b]) / 2
    for prefix, height in (("", -connectivity), ("line_", 30.0 - connectivity)):
        for t in POINTS:
            bump = height if t == 0.5 else 0.0
            base = errors[a] if t == 0 else errors[b] if t == 1 else middle
            row[f"{prefix}train_error_{t:g}"] = base + bump
            row[f"{prefix}test_error_{t:g}"] = 1.2 * base + 0.8 * bump
            row[f"{prefix}train_loss_{t:g}"] = row[f"{prefix}test_loss_{t:g}"] = (base + bump) / 100
    return row | {
        "mode_connectivity": connectivity,
        "cka": likeness + 0.01 * random.normal(),
        "linear_connectivity": connectivity - 30.0,
        "aligned_linear_connectivity": connectivity - 10.0,
        "longer_mode_connectivity": connectivity + 0.5 if longer else np.nan,
    }


def _weights(own: pd.DataFrame) -> dict[str, np.ndarray]:
    architecture = Architecture(builder="cnn", arguments={"width": int(own["width"].iloc[0])})
    random = np.random.default_rng(int(own["width"].iloc[0]))
    shapes = template(architecture).stored
    stacks = {name: random.normal(size=(len(own), *shape)).astype(np.float32) for name, shape in shapes.items()}
    return {name: np.abs(stack) + 0.1 if name.endswith("running_var") else stack for name, stack in stacks.items()}
