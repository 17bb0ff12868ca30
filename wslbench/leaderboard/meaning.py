"""What a result means, in one sentence: whether it beats the floors, where it stands, and what is still above it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from wslbench.evaluation.floors import LEGAL_FLOORS, ORACLE
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.leaderboard.board import TaskBoard
from wslbench.leaderboard.columns import number, with_ends
from wslbench.leaderboard.rows import role_of
from wslbench.tasks.metrics.registry import METRICS

_KNOWS: Final = {
    "chance": "which knows nothing",
    "architecture_only": "which knows the networks' shapes alone",
    "decoded_hyperparameters": "which reads load and temperature off the weights, and nothing else",
}

_NAMED: Final = 3  # of the methods that a sentence lists


def meaning(board: TaskBoard, name: str) -> str:
    """One sentence on a method's result.

    Parameters
    ----------
    board
        Of the task, with the method's result among those that it is compared with.
    name
        The method.

    Raises
    ------
    KeyError
        If the method has no result on the board.
    """
    records = {record.method.name: record for record in board.records}
    record = records[name]
    if record.status != "ok":
        failed = [unit for unit in record.units if unit.status != "ok"]
        kinds = ", ".join(dict.fromkeys(unit.status for unit in failed))
        return (
            f"{name} failed on {len(failed)} of {len(record.units)} folds × seeds ({kinds}): these hold chance "
            "predictions, and a failed result ranks below every completed one."
        )
    parts = [_over_floor(record), _among(board, name), _below_oracle(record, records.get(ORACLE))]
    if record.coverage < 1:
        parts.append(f"it covers {100 * record.coverage:.0f} % of the models, the others hold chance predictions")
    sentence = "; ".join(part for part in parts if part)
    return f"{sentence}."


def _over_floor(record: ResultRecord) -> str:
    name, metric = record.method.name, METRICS[record.task.headline].label
    estimate = record.metrics[record.task.headline]
    if record.task.headline == "lift":
        return _over_comparators(record)
    if name in LEGAL_FLOORS:
        return f"{name} is a floor, {_KNOWS[name]}: {metric} {number(estimate.value)}"
    if role_of(record) == "oracle":
        return f"{name} is told load and temperature, which methods must not see: {metric} {number(estimate.value)}"
    lift = record.lift
    if lift is None or lift.value is None:
        return f"{name} reaches {metric} {number(estimate.value)}, and there is no floor to compare it with"
    by = with_ends(lift.value, lift.low, lift.high)
    floor = f"{lift.over}, {_KNOWS[lift.over]}" if lift.over in _KNOWS else lift.over
    if lift.low is not None and lift.low > 0:
        return f"{name} beats the best legal floor by {by} in {metric} ({floor})"
    if lift.high is not None and lift.high < 0:
        return f"{name} does worse than the best legal floor, by {by} in {metric} ({floor})"
    return f"{name} cannot be told apart from the best legal floor ({floor}): {by} in {metric}"


def _over_comparators(record: ResultRecord) -> str:
    name, lift = record.method.name, record.metrics["lift"]
    if lift.value is None:
        return (
            f"{name} has no lift: its networks lie outside the novelty that comparators reach, or descend from too few"
        )
    by = with_ends(lift.value, lift.low, lift.high)
    if lift.low is not None and lift.low > 0:
        return (
            f"{name} makes better networks than copies, noise and averages at the same novelty: lift {by}, real ones 1"
        )
    if lift.high is not None and lift.high < 0:
        return f"{name} makes worse networks than copies, noise and averages at the same novelty: lift {by}"
    return f"{name} cannot be told apart from copies, noise and averages at the same novelty: lift {by}, real ones 1"


def _among(board: TaskBoard, name: str) -> str:
    ranks = board.standings.ranks
    if name not in ranks or len(ranks) < 2:
        return ""
    ahead = [other for other, rank in ranks.items() if rank < ranks[name]]
    beside = [other for other, rank in ranks.items() if rank == ranks[name] and other != name]
    place = f"among {len(ranks)} methods it ranks {ranks[name]}"
    if beside:
        place += f", tied with {_listed(beside)}"
    if not ahead:
        return place
    lead = board.standings.lead(ahead[0], name)
    if lead is None or not math.isfinite(lead.value):
        return f"{place}, behind {_listed(ahead)}"
    by = with_ends(*lead)
    return f"{place}, behind {_listed(ahead)} ({by if len(ahead) == 1 else f'the first by {by}'})"


def _below_oracle(record: ResultRecord, oracle: ResultRecord | None) -> str:
    if oracle is None or oracle.method.name == record.method.name or role_of(record) != "method":
        return ""
    value = oracle.metrics[record.task.headline].value
    return "" if value is None else f"the oracle, told load and temperature, reaches {number(value)}"


def _listed(names: Sequence[str]) -> str:
    shown, more = names[:_NAMED], len(names) - _NAMED
    if more > 0:
        return f"{', '.join(shown)} and {more} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
