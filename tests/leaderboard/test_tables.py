"""The tables: order and marks of rows, the same content on the terminal and in Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from tests.leaderboard.boards import commit
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.evaluation.result_files import read_record
from wslbench.evaluation.result_schema import Estimate
from wslbench.leaderboard import make_boards, read_results, render_markdown, render_task_table
from wslbench.leaderboard.aggregate import aggregate
from wslbench.leaderboard.columns import number, with_interval
from wslbench.leaderboard.rows import table_rows
from wslbench.zoo import load_zoo

FLOORS = ("chance", "architecture_only", "decoded_hyperparameters", "hyperparameters")


@pytest.fixture(scope="module")
def results(built_tiny_zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Floors, oracle, a good and a bad method, and one that failed, on two tasks."""
    folder = tmp_path_factory.mktemp("board")
    book, zoo = tiny_tasks(folder), load_zoo(built_tiny_zoo)
    for task_id in (f"{NAME}.loss-gap", f"{NAME}.phase@new-temperature"):
        for noise, name in zip((9.0, 4.0, 2.0, 0.1), FLOORS, strict=True):
            commit(book[task_id], zoo, folder / "results", name, noise)
        commit(book[task_id], zoo, folder / "results", "good", 0.01)
        commit(book[task_id], zoo, folder / "results", "bad", 5.0)
        commit(book[task_id], zoo, folder / "results", "slow", 0.01, failed=True)
    return folder / "results"


def record(results: Path, name: str):
    return read_record(results / name / f"{NAME}.loss-gap.json")


def test_methods_are_sorted_by_headline_and_failures_stand_last(results: Path) -> None:
    rows = table_rows([record(results, name) for name in ("slow", "bad", "good", *FLOORS)])
    roles = {row.name: row.role for row in rows}
    assert [row.role for row in rows[:2]] == ["ceiling", "ceiling"]
    names = [row.name for row in rows[2:]]
    assert names[-1] == "slow"
    assert names.index("good") < names.index("bad")
    values = [row.metrics["kendall_tau"].value for row in rows[2:-1]]
    assert values == sorted(values, reverse=True)
    assert roles["chance"] == roles["architecture_only"] == roles["decoded_hyperparameters"] == "floor"
    assert roles["hyperparameters"] == "oracle"


def test_a_single_record_brings_its_floors_and_oracle_along(results: Path) -> None:
    mine = record(results, "good")
    rows = {row.name: row for row in table_rows([mine])}
    assert set(FLOORS) < set(rows)
    assert rows["hyperparameters"].role == "oracle"
    assert rows["chance"].metrics["kendall_tau"].value == pytest.approx(
        record(results, "chance").metrics["kendall_tau"].value
    )


def render(records, width: int = 240) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(render_task_table(records, {"good": 1}, width))
    return console.export_text()


def test_the_terminal_table_shows_value_interval_lift_cost_and_marks(results: Path) -> None:
    text = render([record(results, name) for name in ("good", "slow", *FLOORS)])
    mine = record(results, "good")
    assert with_interval(mine.metrics["kendall_tau"]) in text
    assert with_interval(mine.lift) in text
    line = next(line for line in text.splitlines() if " good " in line)
    assert "process" in line
    assert "5.0" in line
    assert any("slow" in line and "failed: timeout" in line for line in text.splitlines())
    assert any("hyperparameters" in line and "told the grid" in line for line in text.splitlines())
    assert "Kendall τ ↑" in text
    assert "MAE ↓" in text


def test_a_narrow_terminal_keeps_names_and_intervals_whole_and_says_what_is_hidden(results: Path) -> None:
    records = [record(results, name) for name in ("good", *FLOORS)]
    text = render(records, width=80)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    for one in records:
        line = next(line for line in text.splitlines() if f" {one.method.name} " in f" {line}")
        assert with_interval(one.metrics["kendall_tau"]) in line
    assert "Not shown for want of width:" in text
    assert "Not shown" not in render(records)


def test_square_brackets_in_a_name_are_no_markup(results: Path) -> None:
    mine = record(results, "good")
    sly = mine.model_copy(update={"method": mine.method.model_copy(update={"name": "[red]sly[/red]"})})
    assert "[red]sly[/red]" in render([sly])


def test_markdown_has_the_same_rows_and_names_what_is_not_shown(results: Path, built_tiny_zoo: Path, tmp_path) -> None:
    book, zoo = tiny_tasks(tmp_path), load_zoo(built_tiny_zoo)
    found = read_results([results], book, book.select(), lambda name: zoo)
    boards = make_boards(found)
    page = render_markdown(boards, ["a|b\nis broken"], aggregate(boards))
    assert page.count("\n## ") == 5
    assert f"## {NAME}.loss-gap\n" in page
    assert "cannot be resolved" in page
    section = page.split(f"## {NAME}.phase@new-temperature")[1]
    assert "Left out: 6 models of phases (" in section
    assert "- a\\|b is broken" in page
    sections = [part for part in page.split("\n## ") if part.startswith(f"{NAME}.")]
    assert len(sections) == 2
    for section in sections:
        assert len({line.count("|") for line in section.splitlines() if line.startswith("|")}) == 1
        assert "| new load |" not in section  # no result of either target under that protocol


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0.000"),
        (0.81249, "0.812"),
        (0.00123, "0.001"),
        (-0.0002, "0.000"),
        (1234.5, "1.23e+03"),
        (-1e200, "-1.00e+200"),
        (12.5, "12.500"),
    ],
)
def test_numbers_line_up_with_three_decimals(value, text) -> None:
    assert number(value) == text


def test_an_undefined_estimate_is_a_dash() -> None:
    assert with_interval(None) == with_interval(Estimate(value=None, low=None, high=None)) == "–"


def test_within_the_grid_what_is_beyond_it_stands_beside(results: Path) -> None:
    mine = record(results, "good")
    elsewhere = {"good": {"new-load": Estimate(value=0.123, low=0.1, high=0.2)}}
    table = render_task_table([mine], {"good": 1}, 400, elsewhere=elsewhere)
    shown = {column.header: list(column.cells) for column in table.columns}
    place = shown["method"].index("good")
    assert shown["new load"][place] == "0.123"
    assert "new temp." not in shown
    assert shown["worst phase"][place] == f"{mine.worst_phase.value:.3f} ({mine.worst_phase.phase})"
    assert shown["covers"][place] == "100 %"
    beyond = mine.model_copy(update={"task": mine.task.model_copy(update={"protocol": "new-temperature"})})
    headings = [column.header for column in render_task_table([beyond], {}, 400, elsewhere=elsewhere).columns]
    assert "new load" not in headings
