"""The columns of a task's table: one entry a column, the same on the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from wslbench.evaluation.result_schema import Estimate, Lift, TaskRecord
from wslbench.leaderboard.rows import Row
from wslbench.tasks import TaskKind
from wslbench.tasks.metrics.registry import METRICS
from wslbench.zoo.protocols import DEFAULT_PROTOCOL

NOTHING = "–"

_BESIDE: dict[TaskKind, tuple[str, ...]] = {
    "phase_classification": ("macro_f1", "log_loss"),
    "accuracy_prediction": ("spearman", "r2", "mae"),
    "weight_generation": (
        "accuracy",
        "novelty",
        "diversity",
        "phase_fidelity",
        "accuracy_finetuned_1",
        "accuracy_finetuned_5",
    ),
}


# Beside a score within the grid: the same beyond it.
_EXTRAPOLATION = {"new-load": "new load", "new-temperature": "new temp."}


@dataclass(frozen=True)
class Column:
    """A heading, what stands under it in a row, whether it is a number (and so set to the right).

    Attributes
    ----------
    essential
        Shown however narrow the terminal is.
    estimate
        What ``text`` says, for who can draw its interval.
    """

    heading: str
    text: Callable[[Row], str]
    numeric: bool = True
    essential: bool = False
    estimate: Callable[[Row], Estimate | Lift | None] | None = None


# The registry: in the order of a table, what makes the columns of one name for a task; none where it has no such.
COLUMNS: Final[Mapping[str, Callable[[TaskRecord], list[Column]]]] = MappingProxyType(
    {
        "rank": lambda _: [
            Column("#", lambda row: NOTHING if row.rank is None else str(row.rank), essential=True),
        ],
        "method": lambda _: [Column("method", lambda row: row.name, numeric=False, essential=True)],
        "score": lambda task: [_with_interval(heading(task.headline), lambda row: row.metrics.get(task.headline))],
        "lift": lambda task: [_with_interval("lift", _lift)] if task.headline != "lift" else [],
        "regrown": lambda task: [Column("re-grown", _regrown, estimate=_regrown_score)] if _predicts(task) else [],
        "gap": lambda task: [Column("gap", _gap, estimate=_gap_estimate)] if _predicts(task) else [],
        "extrapolation": lambda task: (
            [_beyond(protocol, name) for protocol, name in _EXTRAPOLATION.items()]
            if _predicts(task) and task.protocol == DEFAULT_PROTOCOL
            else []
        ),
        "worst_phase": lambda task: [Column("worst phase", _worst_phase)] if _predicts(task) else [],
        "seeds": lambda _: [Column("seed sd", _seed_sd)],
        "beside": lambda task: [_metric(name) for name in _BESIDE[task.kind]],
        "audit": lambda task: [Column("drop perm. · scal.", _drops)] if _predicts(task) else [],
        "fit": lambda _: [Column("fit s", _fit_seconds)],
        "predict": lambda _: [Column("predict s", _predict_seconds)],
        "memory": lambda _: [Column("MiB", _memory)],
        "coverage": lambda _: [Column("covers", _coverage)],
        "tier": lambda _: [Column("tier", lambda row: row.tier or NOTHING, numeric=False)],
        "note": lambda _: [Column("note", _note, numeric=False, essential=True)],
    }
)


class Filled(NamedTuple):
    """A table with its cells: ``texts`` has, for each column, what stands in each row."""

    rows: Sequence[Row]
    columns: Sequence[Column]
    texts: Sequence[Sequence[str]]


def columns(task: TaskRecord) -> list[Column]:
    """The columns of a task's table, in order."""
    return [column for make in COLUMNS.values() for column in make(task)]


def filled(task: TaskRecord, rows: Sequence[Row]) -> Filled:
    """The table of some rows, without the columns in which no row has anything."""
    every = [(column, [column.text(row) for row in rows]) for column in columns(task)]
    kept = [(column, texts) for column, texts in every if column.essential or any(text != NOTHING for text in texts)]
    return Filled(rows, [column for column, _ in kept], [texts for _, texts in kept])


def _predicts(task: TaskRecord) -> bool:
    return task.kind != "weight_generation"


def number(value: float | None) -> str:
    """Three decimals, so that a column lines up; three significant digits from 1,000 on."""
    if value is None:
        return NOTHING
    shown = f"{value:.3f}" if abs(value) < 1000 else f"{value:.2e}"
    return "0.000" if shown == "-0.000" else shown


def with_interval(estimate: Estimate | Lift | None) -> str:
    """``0.812 [0.790, 0.833]``."""
    if estimate is None or estimate.value is None:
        return NOTHING
    return with_ends(estimate.value, estimate.low, estimate.high)


def with_ends(value: float | None, low: float | None, high: float | None) -> str:
    """A value with the ends of its interval, where it has one."""
    if low is None or high is None or low != low or high != high:
        return number(value)
    return f"{number(value)} [{number(low)}, {number(high)}]"


def seconds(value: float | None) -> str:
    """Seconds with one decimal."""
    return NOTHING if value is None else f"{value:.1f}"


def heading(metric: str) -> str:
    """A metric's name with an arrow to where it is better."""
    entry = METRICS[metric]
    return f"{entry.label} {'↑' if entry.higher_is_better else '↓'}"


def _metric(name: str) -> Column:
    def text(row: Row) -> str:
        estimate = row.metrics.get(name)
        return NOTHING if estimate is None else number(estimate.value)

    return Column(heading(name), text)


def _with_interval(name: str, estimate: Callable[[Row], Estimate | Lift | None]) -> Column:
    return Column(name, lambda row: with_interval(estimate(row)), essential=True, estimate=estimate)


def _lift(row: Row) -> Lift | None:
    return None if row.record is None else row.record.lift


def _regrown_score(row: Row) -> Estimate | None:
    return None if row.verified is None else row.verified.score


def _regrown(row: Row) -> str:
    return with_interval(_regrown_score(row))


def _gap_estimate(row: Row) -> Estimate | None:
    return None if row.verified is None else row.verified.gap


def _gap(row: Row) -> str:
    return with_interval(_gap_estimate(row))


def _drops(row: Row) -> str:
    """What the headline loses when hidden units are permuted, and when they are scaled."""
    if row.audit is None or row.audit.permutation is None or row.audit.scaling is None:
        return NOTHING
    return f"{number(row.audit.permutation.score_drop)} · {number(row.audit.scaling.score_drop)}"


def _beyond(protocol: str, name: str) -> Column:
    def text(row: Row) -> str:
        estimate = row.elsewhere.get(protocol)
        return NOTHING if estimate is None else number(estimate.value)

    return Column(name, text, estimate=lambda row: row.elsewhere.get(protocol))


def _worst_phase(row: Row) -> str:
    """How little the method knows of the phase that it knows least of; the number first, by which it is sorted."""
    worst = None if row.record is None else row.record.worst_phase
    return NOTHING if worst is None else f"{number(worst.value)} ({worst.phase})"


def _seed_sd(row: Row) -> str:
    """How far a method's own seeds lie apart: apart from what held-out units bring, which is the interval's."""
    estimate = None if row.record is None else row.record.metrics.get(row.record.task.headline)
    return NOTHING if estimate is None else number(estimate.seed_sd)


def _fit_seconds(row: Row) -> str:
    return NOTHING if row.record is None else seconds(row.record.cost.fit_seconds)


def _predict_seconds(row: Row) -> str:
    return NOTHING if row.record is None else seconds(row.record.cost.predict_seconds)


def _coverage(row: Row) -> str:
    return NOTHING if row.record is None else f"{100 * row.record.coverage:.0f} %"


def _memory(row: Row) -> str:
    if row.record is None or row.record.cost.peak_memory_bytes is None:
        return NOTHING
    return f"{row.record.cost.peak_memory_bytes / 2**20:.0f}"


def _note(row: Row) -> str:
    notes: list[str] = [] if row.role == "method" else [row.role]
    if row.record is not None:
        record = row.record
        if record.status != "ok":
            notes.append(f"failed: {record.status}")
        if record.method.privilege == "hyperparameters":
            notes.append("told the grid")
        elif record.method.privilege == "data":
            notes.append("with data")
        elif record.method.privilege == "train_hyperparameters":
            notes.append("told the train grid")
    if row.verified is not None and not row.verified.ok:
        notes.append(f"re-grown: failed: {row.verified.record.status}")
    elif row.verified is not None and row.verified.memorised:
        notes.append("memorised")
    return ", ".join(notes)
