"""Synthetic zoos: random networks with made-up annotations, of any number, to try tools at a scale nobody has trained.

Nothing is trained or measured. Each cell of a width x learning rate grid is given a phase that follows from where it
stands, as in real zoos (hot and narrow: I; hot and wide: II; cold and narrow: III; cold and wide: IV-A or IV-B). The
scale of a network's weights follows from its phase and the bias of its read-out from its test accuracy, so that methods
have something to find. What they find says nothing about trained networks, and results on such zoos are refused by the
leaderboard.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import pandas as pd

from wslbench.architectures import Architecture
from wslbench.errors import RecipeError, ZooError
from wslbench.tasks import PHASES
from wslbench.zoo import Axis, DataSetCard, Zoo, ZooCard, ZooWriter, make_split
from wslbench.zoo.compaction import Shard
from wslbench.zoo.identity import run_id
from wslbench.zoo.models import FloatArray
from wslbench.zoo.schema import SYNTHETIC, is_name
from wslbench.zoo.tables import PAIR_COLUMNS
from wslbench.zoo.template import template

PREFIX: Final = "synthetic-"
FEWEST_RATES: Final = 5  # then every phase is there, and every protocol can be split
MOST: Final = 500_000  # beyond it the table of checkpoints is larger than tables of unknown origin are read
WIDTHS: Final = (2, 3, 4, 6)
SEEDS: Final = 5
_EPOCH: Final = 40
_TEST_SIZE: Final = 597
_PROTOCOLS: Final = ("phase-stratified", "new-load", "new-temperature")
_BLOCK_VALUES: Final = 2**20
_MAKER: Final = 1  # raised whenever the same arguments would give another zoo


def synthesise_zoo(
    destination: Path,
    checkpoints: int,
    seed: int = 0,
    name: str | None = None,
    widths: tuple[int, ...] = WIDTHS,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Zoo:
    """Write a synthetic zoo, for tests of scale alone; an interrupted call goes on after its last whole shard.

    Of the weights a few megabytes are in memory at a time; of the table, all of it.

    Parameters
    ----------
    destination
        Where the zoo will stand; must not exist yet.
    checkpoints
        How many networks; at most :data:`MOST`. A cell has five of them, the last one perhaps fewer; of the grid, as
        many learning rates are taken as that needs, and at least :data:`FEWEST_RATES`.
    seed
        Decides every number: the same arguments give the same zoo.
    name
        Begins with :data:`PREFIX`. None: ``synthetic-<checkpoints>``.
    widths
        Of the networks, ascending, two or more: the load axis. A network's weights grow with the square.
    on_progress
        Called with the share of the weights that is written.

    Raises
    ------
    RecipeError
        If there are too few checkpoints to be split or too many to be read, the seed is negative, the name does not
        say that the zoo is synthetic, or the widths are no axis.
    ZooError
        If the destination is taken, an interrupted call to it asked for another zoo, or the disk is full.
    """
    name = f"{PREFIX}{checkpoints}" if name is None else name
    _check(checkpoints, seed, name, widths)
    asked = {"maker": _MAKER, "name": name, "checkpoints": checkpoints, "seed": seed, "widths": list(widths)}
    recipe = {SYNTHETIC: asked}
    finished = ZooWriter.finished(destination, recipe)
    if finished is not None:
        return finished
    writer = ZooWriter(destination, recipe)
    table = _table(checkpoints, seed, widths)
    cells = table.drop_duplicates("cell_id")
    splits = [
        make_split(cells, table, protocol, seed, load="width", temperature="learning_rate") for protocol in _PROTOCOLS
    ]
    pairs = pd.DataFrame({column: pd.Series(dtype=object) for column in PAIR_COLUMNS})
    weights = _Weights(table, seed, on_progress)
    try:
        zoo = writer.stream(_card(name, table, recipe), table, pairs, splits, weights)
    except OSError as error:
        raise ZooError(
            f"the zoo cannot be written to {destination}: {error.strerror}; what is finished of it stays in "
            f"{destination.name}.partial, and the same command goes on from there"
        ) from error
    on_progress(1.0)
    return zoo


def _check(checkpoints: int, seed: int, name: str, widths: tuple[int, ...]) -> None:
    if len(widths) < 2 or widths[0] < 1 or sorted(set(widths)) != list(widths):
        raise RecipeError(f"{widths} are no widths for a grid: two or more whole numbers, ascending from 1")
    fewest = SEEDS * FEWEST_RATES * len(widths)
    if not fewest <= checkpoints <= MOST:
        raise RecipeError(
            f"a synthetic zoo cannot have {checkpoints} checkpoints: with fewer than {fewest} its cells cannot be "
            f"split by every protocol, and more than {MOST} rows are not read"
        )
    if seed < 0:
        raise RecipeError(f"the seed is {seed}, and has to be 0 or above")
    if not (name.startswith(PREFIX) and is_name(name)):
        raise RecipeError(
            f"{name!r} cannot name a synthetic zoo: it begins with {PREFIX!r}, so that nobody mistakes it for a "
            "trained one, and has letters, digits and . _ + = - only"
        )


def _table(checkpoints: int, seed: int, widths: tuple[int, ...]) -> pd.DataFrame:
    """A row a checkpoint, with the columns of a zoo that was grown from a recipe."""
    number = np.arange(checkpoints)
    cell, seed_of = np.divmod(number, SEEDS)
    rate_of, width_of = np.divmod(cell, len(widths))
    rates = np.geomspace(0.005, 0.3, int(rate_of[-1]) + 1)
    width, rate = np.array(widths)[width_of], rates[rate_of]
    heat = (rate_of + 0.5) / len(rates)
    level = _levels(width_of >= len(widths) // 2, heat)
    rng = np.random.default_rng([_MAKER, seed])
    cells = int(cell[-1]) + 1
    grid = [(at, wide) for at in rates for wide in widths][:cells]
    cell_ids = [f"width={wide}_learning_rate={at:.9g}" for at, wide in grid]
    skill = level + 0.2 * rng.normal(size=cells)[cell] + 0.1 * rng.normal(size=checkpoints)
    accuracy = 1 / (1 + np.exp(-0.5 * skill - 0.3))
    trace, top = 200.0 * np.exp(-skill), 20.0 * np.exp(-skill)
    return pd.DataFrame(
        {
            "run_id": [run_id(cell_ids[one], int(of)) for one, of in zip(cell, seed_of, strict=True)],
            "cell_id": np.array(cell_ids, dtype=object)[cell],
            "seed": seed_of,
            "epoch": _EPOCH,
            "measured": True,
            "architecture": np.array([_architecture_name(one) for one in widths], dtype=object)[width_of],
            "width": width,
            "learning_rate": rate,
            "batch_size": 16,
            "train_loss": np.exp(-skill),
            "train_accuracy": accuracy,
            "test_loss": 1.2 * np.exp(-skill) + 0.05 * np.abs(rng.normal(size=checkpoints)),
            "test_accuracy": np.round(_TEST_SIZE * 0.95 * accuracy) / _TEST_SIZE,
            "loss_slope": -0.001,
            "hessian_trace": trace,
            "hessian_trace_se": 0.05 * trace,
            "hessian_top_eigenvalue": top,
            "hessian_top_residual": 0.01 * top,
            "mode_connectivity": (-8.0 + 2.0 * level + 0.3 * rng.normal(size=cells)[cell]),
            "mode_connectivity_se": 0.4,
            "cka": np.clip(0.5 + 0.1 * level + 0.02 * rng.normal(size=cells)[cell], 0, 1),
            "cka_se": 0.02,
            "continued_train_loss": 0.98 * np.exp(-skill),
            "phase": np.array(PHASES, dtype=object)[level],
            "phase_probability": np.round(rng.uniform(0.6, 1.0, size=cells), 3)[cell],
            "unfinished": False,
            "dead": False,
            "diverged": False,
        }
    )


def _levels(wide: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """The index of each checkpoint's phase in :data:`PHASES`, from where its cell stands on the grid."""
    narrow_phase = np.where(heat > 0.55, "I", "III")
    wide_phase = np.select([heat > 0.65, heat > 0.35], ["II", "IV-B"], "IV-A")
    return _codes(np.where(wide, wide_phase, narrow_phase))


def _codes(phases: np.ndarray) -> np.ndarray:
    return np.asarray(pd.Series(phases).map({phase: code for code, phase in enumerate(PHASES)}), np.intp)


def _architecture_name(width: int) -> str:
    return f"cnn-width-{width}"


def _architecture(width: int) -> Architecture:
    return Architecture(builder="cnn", arguments={"in_channels": 1, "image_size": 8, "classes": 10, "width": width})


def _card(name: str, table: pd.DataFrame, recipe: dict[str, Any]) -> ZooCard:
    return ZooCard(
        name=name,
        content_version=str(_MAKER),
        licence="CC0-1.0",
        citation="none: synthetic",
        description="SYNTHETIC, for tests only: random weights that were never trained, with made-up annotations.",
        modality="none",
        data_set=DataSetCard(name="none", train_size=1200, test_size=_TEST_SIZE, classes=10),
        architectures={_architecture_name(width): _architecture(width) for width in np.unique(table["width"]).tolist()},
        load=Axis(column="width", label="width", values=np.unique(table["width"]).tolist()),
        temperature=Axis(
            column="learning_rate", label="learning rate", values=np.unique(table["learning_rate"]).tolist()
        ),
        measured_epoch=_EPOCH,
        recipe=recipe,
        phase_rule={"text": "made up: the phase follows from where a cell stands on the grid"},
        software={"wslbench": version("wslbench"), "numpy": version("numpy")},
    )


class _Weights:
    """Makes weights as they are written: each block from its own stream of random numbers, so that any can come first.

    A block holds :data:`_BLOCK_VALUES` numbers at most, or those of one network.
    """

    def __init__(self, table: pd.DataFrame, seed: int, on_progress: Callable[[float], None]) -> None:
        self._seed = seed
        self._on_progress = on_progress
        self._done, self._whole = 0, 0
        for width, count in table["width"].value_counts().items():
            shapes = template(_architecture(cast(int, width))).stored.values()
            self._whole += int(count) * sum(math.prod(shape) for shape in shapes)

    def __call__(self, shard: Shard, name: str) -> Iterator[FloatArray]:
        shape = shard.shapes[name][1:]
        scale = (0.2 + 0.2 * _codes(shard.rows["phase"].to_numpy(dtype=object))).astype(np.float32)
        scale = scale.reshape(-1, *[1] * len(shape))
        accuracy = shard.rows["test_accuracy"].to_numpy(dtype=np.float32)[:, None]
        block = max(1, _BLOCK_VALUES // math.prod(shape))
        place = list(shard.shapes).index(name)
        for first in range(0, len(scale), block):
            rows = slice(first, first + block)
            stream = np.random.default_rng([_MAKER, self._seed, *shard.path.encode(), place, first])
            values = stream.standard_normal((len(scale[rows]), *shape), dtype=np.float32)
            values *= scale[rows]
            if name == "fc.bias":
                values = 0.05 * values + accuracy[rows]
            elif name.endswith("running_var"):
                values = np.abs(values) + np.float32(0.1)
            self._done += values.size
            self._on_progress(self._done / self._whole)
            yield values
