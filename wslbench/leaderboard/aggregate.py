"""Across the tasks of a suite: mean ranks, how stable their order is, and who improves on whom.

Only methods with a result on every task take part (a mean over the tasks that suit a method would flatter it); a failed
result counts, and ranks below every completed one. No method both predicts and generates: of a suite with tasks of
either kind, those that ask for predictions are put together.

*Mean rank*: the rank of a method among the others on a task, averaged over tasks; ties share the mean of their places.

*Probability of improvement* of X over Y (Agarwal et al. 2021, *Deep reinforcement learning at the edge of the
statistical precipice*, arXiv 2108.13264, section 4.3): the chance that X scores higher than Y on a task drawn from the
suite, where scores vary with the held-out units: the share of resamples in which X is better, half of those in which
the two are equal, averaged over tasks. One half where nothing tells them apart. How much better is not in it.

Two things are drawn anew for an interval. The first is a task's held-out units, on the resamples that its methods are
compared on. The second is the tasks themselves: a suite is a sample of questions one might have asked. Tasks that ask
for one target of one zoo share their models and answers, so targets are drawn, each with all its tasks. Intervals are
expanded for their small number (see :mod:`wslbench.evaluation.bootstrap`). In a resample, methods that are close
change places, so that resampled ranks lie nearer the middle than the ranks themselves. Tasks over one zoo share
networks as well; what they have in common beyond a target is not in the intervals, which speak of these zoos only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from wslbench.evaluation.bootstrap import Interval, expanded_tail, interval
from wslbench.evaluation.floors import LEGAL_FLOORS, ORACLE
from wslbench.leaderboard.board import Board, TaskBoard
from wslbench.leaderboard.intervals import row_quantiles
from wslbench.leaderboard.standings import is_ranked
from wslbench.tasks.metrics.registry import METRICS

FloatArray = npt.NDArray[np.float64]

TASK_RESAMPLES: Final = 1000
_PAIRS_AT_ONCE: Final = 2000
_COMPARISONS: Final = 8_000_000  # a task


@dataclass(frozen=True)
class Aggregate:
    """Where methods stand over all tasks of a suite.

    Attributes
    ----------
    tasks
        The tasks that have results; ``targets`` are the zoos' targets among them, which are drawn.
    methods
        Those with a result on every task, the best mean rank first; floors and the oracle are among them.
    partial
        Of every other method, on how many of the tasks it has a result.
    mean_rank
        With an interval over held-out units, the tasks being these.
    mean_rank_over_tasks
        With an interval over tasks as well.
    first
        How often a method's mean rank was the lowest when tasks and units were drawn anew (the contenders among
        themselves: floors and the oracle cannot win).
    stability
        Mean Kendall τ between the order of the contenders and their order on tasks drawn anew; 1 where it never
        changes, None with fewer than two contenders or targets.
    improvement
        ``[methods, methods]`` probability that the row's method improves on the column's, .5 on the diagonal.
    improvement_low, improvement_high
        Ends of its interval over tasks.
    """

    tasks: tuple[str, ...]
    targets: tuple[str, ...]
    methods: tuple[str, ...]
    contenders: tuple[str, ...]
    partial: Mapping[str, int]
    mean_rank: Mapping[str, Interval]
    mean_rank_over_tasks: Mapping[str, Interval]
    first: Mapping[str, float]
    stability: float | None
    improvement: FloatArray
    improvement_low: FloatArray
    improvement_high: FloatArray

    def improves(self, one: str, other: str) -> Interval:
        """Probability that one method improves on another."""
        at = self.methods.index(one), self.methods.index(other)
        return Interval(float(self.improvement[at]), float(self.improvement_low[at]), float(self.improvement_high[at]))


def aggregates(board: Board) -> dict[str, Aggregate | None]:
    """What each suite's tasks say together, by suite; what suites share is worked out once."""
    known: dict[tuple[str, tuple[str, ...]], _Race] = {}
    return {name: _aggregate(board.suite(name), known) for name in board.suites}


def aggregate(boards: Sequence[TaskBoard]) -> Aggregate | None:
    """What a suite's boards say together; None with fewer than two tasks or two methods that have them all."""
    return _aggregate(boards, {})


class _Race(NamedTuple):
    """Some methods on a task: headlines and ranks ``[methods, 1 + resamples]``, and who improves on whom."""

    draws: FloatArray
    ranks: FloatArray
    improvement: FloatArray


def _aggregate(boards: Sequence[TaskBoard], known: dict[tuple[str, tuple[str, ...]], _Race]) -> Aggregate | None:
    boards = _of_one_kind([board for board in boards if board.entries])
    having: dict[str, int] = {}
    contenders: set[str] = set()
    for board in boards:
        for entry in board.entries:
            name = entry.record.method.name
            having[name] = having.get(name, 0) + 1
            if is_ranked(entry) or (entry.record.status != "ok" and entry.record.method.privilege != "hyperparameters"):
                contenders.add(name)
    contenders -= {*LEGAL_FLOORS, ORACLE}
    names = tuple(sorted(name for name, count in having.items() if count == len(boards)))
    if len(boards) < 2 or len(names) < 2:
        return None
    targets = tuple(dict.fromkeys(_target(board) for board in boards))
    weights = _drawn_targets(boards, targets)
    # Of very many methods, fewer resamples are compared; the first column is the task itself.
    step = max(1, len(names) ** 2 * TASK_RESAMPLES // _COMPARISONS)
    weights = np.vstack([weights[:1], weights[1::step]])
    races = []
    for board in boards:
        key = board.task.id, names  # which decide on `step`
        if key not in known:
            known[key] = _race_of(_draws(board, names), step)
        races.append(known[key])
    tail = expanded_tail(len(targets))
    mean_rank = np.mean([race.ranks for race in races], axis=0)
    over_tasks = _weighted([race.ranks for race in races], weights)
    chance = np.stack([race.improvement for race in races])
    ends = _interval_over_tasks(chance, weights, tail)
    order = sorted(range(len(names)), key=lambda place: (mean_rank[place, 0], names[place]))
    racing = [place for place in order if names[place] in contenders]
    first, stability = _winners([race.draws for race in races], weights, racing)
    return Aggregate(
        tasks=tuple(board.task.id for board in boards),
        targets=targets,
        methods=tuple(names[place] for place in order),
        contenders=tuple(names[place] for place in racing),
        partial={name: count for name, count in sorted(having.items()) if count < len(boards)},
        # Over the tasks as they are, the units of all of them vary: plain percentiles, there are hundreds.
        mean_rank={names[place]: interval(mean_rank[place]) for place in order},
        mean_rank_over_tasks={names[place]: interval(over_tasks[place], tail) for place in order},
        first={names[place]: share for place, share in zip(racing, first, strict=True)},
        stability=stability if len(targets) > 1 else None,
        improvement=chance.mean(axis=0)[np.ix_(order, order)],
        improvement_low=ends[0][np.ix_(order, order)],
        improvement_high=ends[1][np.ix_(order, order)],
    )


def _of_one_kind(boards: Sequence[TaskBoard]) -> Sequence[TaskBoard]:
    return [board for board in boards if board.task.kind != "weight_generation"] or boards


def _race_of(draws: FloatArray, step: int) -> _Race:
    some = np.hstack([draws[:, :1], draws[:, 1::step]])
    return _Race(some, stats.rankdata(-some, axis=0), _improvement(some))


def _target(board: TaskBoard) -> str:
    return f"{board.task.zoo}.{board.task.target}"


def _draws(board: TaskBoard, names: Sequence[str]) -> FloatArray:
    """Headlines ``[methods, 1 + resamples]``, larger is better, failures and what is undefined below everything."""
    entries = {entry.record.method.name: entry for entry in board.entries}
    sign = 1 if METRICS[board.task.headline].higher_is_better else -1
    rows = [
        sign * entries[name].draws
        if entries[name].record.status == "ok"
        else np.full_like(entries[name].draws, -np.inf)
        for name in names
    ]
    return np.nan_to_num(np.stack(rows), nan=-np.inf, posinf=np.inf, neginf=-np.inf)


def _drawn_targets(boards: Sequence[TaskBoard], targets: Sequence[str]) -> FloatArray:
    """How often each task counts ``[1 + TASK_RESAMPLES, tasks]``; row 0 is the suite itself."""
    name = "\n".join(board.task.id for board in boards)
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    count = len(targets)
    drawn = random.multinomial(count, np.full(count, 1 / count), size=TASK_RESAMPLES)
    weights = np.vstack([np.ones(count), drawn])
    return np.asarray(weights[:, [targets.index(_target(board)) for board in boards]], np.float64)


def _weighted(values: Sequence[FloatArray], weights: FloatArray) -> FloatArray:
    """Means over drawn tasks ``[methods, 1 + resamples]``: each draw of tasks meets one draw of every task's units."""
    total = sum(weight * each[:, : len(weights)] for weight, each in zip(weights.T, values, strict=True))
    return np.asarray(total / weights.sum(axis=1))


def _improvement(values: FloatArray) -> FloatArray:
    """Share of the resamples in which the row's method is better than the column's ``[methods, methods]``."""
    resampled = np.ascontiguousarray(values[:, 1:])
    better = np.full((len(values), len(values)), 0.5)
    for place, row in enumerate(resampled[:-1]):  # what one is better in, the other is not: half the pairs say all
        rest = resampled[place + 1 :]
        wins, draws = np.count_nonzero(row > rest, axis=1), np.count_nonzero(row == rest, axis=1)
        better[place, place + 1 :] = (wins + 0.5 * draws) / resampled.shape[1]
        better[place + 1 :, place] = 1 - better[place, place + 1 :]
    return better


def _interval_over_tasks(chance: FloatArray, weights: FloatArray, tail: float) -> tuple[FloatArray, FloatArray]:
    """Ends ``[methods, methods]`` of means of ``[tasks, methods, methods]`` over drawn tasks."""
    shares = np.ascontiguousarray((weights[1:] / weights[1:].sum(axis=1, keepdims=True)).T)
    count = chance.shape[1]
    upper = np.triu_indices(count, 1)  # the other half follows: its chances are what is left to 1
    pairs = np.ascontiguousarray(chance[:, upper[0], upper[1]].T)
    low, high = np.full((count, count), 0.5), np.full((count, count), 0.5)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = slice(start, start + _PAIRS_AT_ONCE)
        # Shares that sum to 1 but for rounding make chances a little above 1, and their counterparts −0.
        ends = row_quantiles(np.clip(pairs[some] @ shares, 0, 1), [tail, 1 - tail]).T
        places = upper[0][some], upper[1][some]
        low[places], high[places] = ends
        low[places[::-1]], high[places[::-1]] = 1 - ends[1], 1 - ends[0]
    return low, high


def _winners(
    draws: Sequence[FloatArray], weights: FloatArray, racing: Sequence[int]
) -> tuple[list[float], float | None]:
    """How often each contender is first, and how much of their order stays, when tasks and units are drawn anew."""
    if not racing:
        return [], None
    means = _weighted([stats.rankdata(-values[racing], axis=0) for values in draws], weights)
    lowest = means[:, 1:] == means[:, 1:].min(axis=0)
    first = (lowest / lowest.sum(axis=0)).mean(axis=1)
    if len(racing) < 2:
        return [float(share) for share in first], None
    agreeing = [np.sign(row[1:] - means[:, 1:]) * np.sign(row[:1] - means[:, :1]) for row in means]
    pairs = len(racing) * (len(racing) - 1)
    return [float(share) for share in first], float(sum(each.sum(axis=0).mean() for each in agreeing) / pairs)
