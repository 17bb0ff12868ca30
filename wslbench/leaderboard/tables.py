"""The board as files for other programs: JSON whole, CSV a number a row, LaTeX a suite a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from wslbench.leaderboard.export import Data

CSV_COLUMNS: Final = (
    "task", "zoo", "target", "protocol", "method", "role", "rank", "status", "tier", "coverage", "seeds",
    "metric", "phase", "value", "low", "high", "seed_sd",
)  # fmt: skip

_ESCAPED: Final = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def to_json(data: Data) -> str:
    """The whole board; numbers are not rounded, NaN is null."""
    return json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")) + "\n"


def to_csv(data: Data) -> str:
    """Every metric of every result and its lift, a row each; ``phase`` is empty for the whole task.

    ``<headline>:regrown``, ``:gap`` and ``:refitted`` are what a verification says.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for task in data["tasks"]:
        rows = []
        asked = [_plain(task[name]) for name in ("id", "zoo", "target", "protocol")]
        for row in task["rows"]:
            who = [row["method"], data["methods"][row["method"]]["role"], row["rank"]]
            how = [row["status"], row["tier"], row["coverage"], len(row["seeds"])]
            common = [*asked, *map(_plain, who), *map(_plain, how)]
            for metric, phase, estimate in _numbers(task, row):
                ends = ["" if value is None else repr(value) for value in estimate]
                rows.append([*common, metric, phase, *ends])
        writer.writerows(rows)
    return buffer.getvalue()


def to_latex(data: Data, suite: str) -> str:
    """A suite's headlines as a ``booktabs`` table: tasks down, methods across, bold where the lift excludes 0."""
    tasks = [task for task in data["tasks"] if task["id"] in set(data["suites"][suite])]
    aggregate = data["aggregates"].get(suite)
    methods = _columns(data, tasks, [] if aggregate is None else aggregate["methods"])
    lines = [
        f"% wslbench {_tex(data['wslbench'])}, suite {_tex(suite)}. Needs \\usepackage{{booktabs}}.",
        "% Value with its 95 % interval over held-out units; bold: the paired interval of the lift over the best legal",
        "% floor lies above 0.",
        r"\begin{tabular}{l" + "r" * len(methods) + "}",
        r"\toprule",
        "task & " + " & ".join(_tex(name) for name in methods) + r" \\",
        r"\midrule",
    ]
    for task in tasks:
        rows = {row["method"]: row for row in task["rows"]}
        cells = [_latex_cell(rows.get(name), task["headline"]) for name in methods]
        lines.append(f"{_tex(task['id'])} & " + " & ".join(cells) + r" \\")
    if aggregate is not None:
        lines.append(r"\midrule")
        ranks = [aggregate["mean_rank"].get(name) for name in methods]
        cells = ["--" if rank is None else f"{rank[0]:.1f}" for rank in ranks]
        lines.append("mean rank & " + " & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _numbers(task: Data, row: Data) -> Iterator[tuple[str, str, Sequence[float | None]]]:
    for metric, estimate in row["metrics"].items():
        yield metric, "", estimate
    lift = row["lift"]
    if lift is not None and task["headline"] != "lift":
        yield "lift", "", (lift["value"], lift["low"], lift["high"], None)
    if row["verified"] is not None:
        for name in ("regrown", "gap", "refitted"):
            yield f"{task['headline']}:{name}", "", row["verified"][name]
    for phase, metrics in row["per_phase"].items():
        for metric, estimate in metrics.items():
            yield metric, phase, estimate


def _columns(data: Data, tasks: Sequence[Data], order: Sequence[str]) -> list[str]:
    present = {row["method"] for task in tasks for row in task["rows"]}
    return [*(name for name in order if name in present), *sorted(present - set(order))]


def _latex_cell(row: Data | None, headline: str) -> str:
    if row is None:
        return "--"
    value, low, high, _ = row["metrics"][headline]
    if row["status"] != "ok" or value is None:
        return "failed" if row["status"] != "ok" else "--"
    ends = "" if low is None else rf" {{\scriptsize [{low:.2f}, {high:.2f}]}}"
    lift = row["lift"]
    better = lift is not None and lift["low"] is not None and lift["low"] > 0
    return (rf"\textbf{{{value:.3f}}}" if better else f"{value:.3f}") + ends


def _plain(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@"} and not isinstance(value, int | float) else text


def _tex(text: str) -> str:
    return "".join(_ESCAPED.get(character, character) for character in text)
