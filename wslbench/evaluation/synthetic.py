"""A few made-up networks whose weights carry their labels: what ``wslbench check`` feeds to a method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from wslbench.architectures import Architecture
from wslbench.evaluation.generators.unit import GenerationUnit
from wslbench.evaluation.unit import Side, Unit
from wslbench.tasks import PHASES, TaskKind
from wslbench.typing import TaskInfo
from wslbench.zoo.models import Models, Source
from wslbench.zoo.template import template

_CELLS_A_WIDTH: Final = 10
_SEEDS: Final = 3
KINDS: Final[tuple[TaskKind, ...]] = ("phase_classification", "accuracy_prediction", "weight_generation")


def synthetic_unit(
    kind: TaskKind,
    name: str,
    train_widths: Sequence[int] = (2, 3),
    test_widths: Sequence[int] = (2, 3),
    withheld: Sequence[str] = (),
) -> Unit:
    """A small problem of random CNNs, 10 cells of 3 seeds a width; of each cell, the scale of the weights is its own.

    Parameters
    ----------
    kind
        The family of tasks that it stands for.
    name
        Names the problem; orders and chunks follow from it.
    train_widths, test_widths
        Widths of the networks on the two sides.
    withheld
        Phases that are asked for and that no train model shows.
    """
    train, train_level = _side(train_widths, rng=np.random.default_rng([1, *train_widths]))
    test, _ = _side(test_widths, rng=np.random.default_rng([2, *test_widths]))
    classes = PHASES if kind == "phase_classification" else ()
    shown = np.array([PHASES[level] not in withheld for level in train_level])
    target = train_level if classes else train_level + 0.05 * np.random.default_rng(3).normal(size=len(train_level))
    return Unit(
        key=f"synthetic {name}",
        task=TaskInfo(id=f"synthetic.{name}", kind=kind, target="phase" if classes else "test-accuracy"),
        classes=classes,
        train=train[np.flatnonzero(shown)],
        target=target[shown],
        test=test,
    )


def synthetic_generation_unit(name: str, count: int = 8, width: int = 3) -> GenerationUnit:
    """A small problem for generators: 30 random CNNs of one width, of which a fifth are of the phase asked for."""
    train, level = _side((width,), rng=np.random.default_rng([4, width]))
    return GenerationUnit(
        key=f"synthetic {name}",
        task=TaskInfo(id=f"synthetic.{name}", kind="weight_generation", target=f"generate-{PHASES[1]}"),
        train=train.models,
        phases=np.array(PHASES, dtype=object)[level],
        cells=train.cells,
        target_phase=PHASES[1],
        count=count,
    )


def _side(widths: Sequence[int], rng: np.random.Generator) -> tuple[Side, np.ndarray]:
    """Models of these widths, and each one's level: an integer, the code of its phase."""
    count = _CELLS_A_WIDTH * _SEEDS
    cell = np.repeat(np.arange(_CELLS_A_WIDTH), _SEEDS)
    level = cell % len(PHASES)
    sources = [_source(width, level, rng) for width in widths]
    models = Models(
        np.array([f"synthetic-{number}" for number in range(count * len(widths))], dtype=object),
        sources,
        np.repeat(np.arange(len(widths)), count),
        np.tile(np.arange(count), len(widths)),
    )
    cells = np.array([f"{width}-{number}" for width in widths for number in cell])
    hyperparameters = np.column_stack([np.repeat(widths, count), np.tile(0.01 * 2.0**cell, len(widths))])
    return Side(models, cells, hyperparameters.astype(np.float64)), np.tile(level, len(widths)).astype(np.int64)


def _source(width: int, level: np.ndarray, rng: np.random.Generator) -> Source:
    architecture = Architecture(builder="cnn", arguments={"width": width})
    tensors = {}
    for name, shape in template(architecture).stored.items():
        scale = (0.2 + 0.2 * level).reshape(-1, *[1] * len(shape))
        values = scale * rng.normal(size=(len(level), *shape))
        tensors[name] = (np.abs(values) + 0.1 if name.endswith("running_var") else values).astype(np.float32)
    return Source(f"cnn-width-{width}", architecture, lambda: tensors)
