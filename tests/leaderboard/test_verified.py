"""Verified results: what stands beside a public result, what the gap says, and what is refused by name."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from tests.evaluation.synthetic import guesses
from tests.leaderboard.boards import commit
from tests.leaderboard.verified import DRAWN, rewrite, verify
from tests.regrown import COMMITMENT, make_regrown_zoo
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.leaderboard import Results, make_boards, read_results, render_markdown, render_task_table
from wslbench.leaderboard.adding import add_results
from wslbench.leaderboard.building import build_board
from wslbench.leaderboard.checking import Entry
from wslbench.leaderboard.markdown import VERIFIED
from wslbench.population.seed_secret import SeedSecret
from wslbench.schemas import schema_text
from wslbench.tasks import Problem, Task, TaskBook
from wslbench.zoo import Zoo

ID = f"{NAME}.phase"
FLOORS = ("chance", "architecture_only", "decoded_hyperparameters")


@pytest.fixture(scope="module")
def public(built_tiny_zoo: Path) -> Zoo:
    return Zoo(built_tiny_zoo)


@pytest.fixture(scope="module")
def regrown(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return make_regrown_zoo(tmp_path_factory.mktemp("regrown") / "zoo")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> TaskBook:
    return tiny_tasks(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def task(book: TaskBook) -> Task:
    return book[ID]


def right(problem: Problem) -> np.ndarray:
    return guesses(problem, 0.0)


def lost(problem: Problem) -> np.ndarray:
    """What a memoriser says of networks that it has never seen: always the same."""
    return np.tile(np.eye(len(problem.classes))[0], (len(problem.table), 1))


@pytest.fixture(scope="module")
def made(task: Task, public: Zoo, regrown: Zoo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Public results and verifications of a memoriser and an honest method."""
    folder = tmp_path_factory.mktemp("made")
    for name, unseen, noise in (("memoriser", lost, 0.0), ("honest", right, 0.01)):  # right as often, not as sure
        commit(task, public, folder / "results", name, noise)
        verify(task, public, regrown, folder, name, right, unseen)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy to do things to."""
    return Path(shutil.copytree(made, tmp_path / "made"))


def read(folder: Path, book: TaskBook, public: Zoo, cache: Path | None = None) -> Results:
    return read_results(
        [folder / "results"],
        book,
        [book[ID]],
        lambda name: public,
        floors=folder / "results",
        verified=folder / "verified",
        cache=cache,
    )


def entries(results: Results) -> dict[str, Entry]:
    return {entry.record.method.name: entry for entry in results.tasks[0].entries}


def home(folder: Path) -> Path:
    return folder / "verified" / f"{NAME}-{COMMITMENT[:12]}"


def test_a_memoriser_has_a_gap_and_an_honest_method_none(made: Path, book: TaskBook, public: Zoo) -> None:
    results = read(made, book, public)
    assert (results.problems, results.notes) == ([], [])
    found = entries(results)
    cheat, honest = found["memoriser"].verified, found["honest"].verified
    assert cheat is not None
    assert honest is not None
    assert cheat.memorised
    assert cheat.gap.value == pytest.approx(0.8)
    assert cheat.score.value == pytest.approx(0.2)
    assert (honest.gap.value, honest.memorised) == (0, False)
    assert honest.record.lift is None, "no floor was verified"
    # What the board ranks by is the public result.
    assert found["memoriser"].record.tier == "process"
    assert found["memoriser"].record.metrics["balanced_accuracy"].value == 1


def test_floors_that_were_verified_give_a_lift(
    folder: Path, book: TaskBook, task: Task, public: Zoo, regrown: Zoo
) -> None:
    for name, noise in zip(FLOORS, (9.0, 6.0, 3.0), strict=True):
        commit(task, public, folder / "results", name, noise)
        verify(task, public, regrown, folder, name, lambda problem, noise=noise: guesses(problem, noise))
    found = entries(read(folder, book, public))
    lift = found["honest"].verified.record.lift
    assert lift.value == pytest.approx(1 - max(found[name].verified.score.value for name in FLOORS))


def test_the_gap_follows_from_the_public_result_on_the_board(folder: Path, book: TaskBook, public: Zoo) -> None:
    """The verification's own run on the public zoo is another: the gap is to what stands there now."""
    commit(book[ID], public, folder / "results", "honest", 6.0)
    seen = entries(read(folder, book, public))["honest"]
    assert seen.verified is not None
    assert seen.verified.gap.value == pytest.approx(
        seen.record.metrics["balanced_accuracy"].value - 1, abs=0.05
    )  # but for the cell that was not finished again
    assert seen.verified.gap.high < 0


def test_what_is_written_is_of_the_exported_schemas(made: Path) -> None:
    for path, name in (
        (home(made) / "zoo.json", "regrown-card"),
        (home(made) / f"results/honest/gap/{ID}.json", "gap"),
    ):
        Draft202012Validator(json.loads(schema_text(name))).validate(json.loads(path.read_text()))


def test_nothing_changes_where_nothing_was_verified(made: Path, book: TaskBook, public: Zoo, tmp_path: Path) -> None:
    shutil.copytree(made / "results", tmp_path / "results")
    for verified in (tmp_path / "nothing", tmp_path / "verified"):
        results = read(tmp_path, book, public)
        assert (results.problems, results.notes) == ([], [])
        assert all(entry.verified is None for entry in entries(results).values())
        verified.mkdir()


@pytest.mark.parametrize(
    ("name", "edit", "expected"),
    [
        (
            f"targets/{ID}.parquet",
            lambda rows: rows.assign(phase=rows["phase"].iloc[::-1].to_numpy()),
            "not those that",
        ),
        (
            f"results/honest/{ID}.parquet",
            lambda rows: rows.assign(phase="I"),
            "not those that the record",
        ),
        (f"results/honest/{ID}.parquet", lambda rows: rows.iloc[1:], "not those that the record"),
    ],
)
def test_edited_targets_and_predictions_are_refused_by_name(
    name: str, edit: Callable, expected: str, folder: Path, book: TaskBook, public: Zoo
) -> None:
    rewrite(home(folder) / name, edit)
    results = read(folder, book, public)
    assert entries(results)["honest"].verified is None
    assert any(expected in problem and f"honest/{ID}.json" in problem for problem in results.problems)
    others = [problem for problem in results.problems if "honest" not in problem]
    assert bool(others) == name.startswith("targets"), "other methods stand unless it is the targets"


@pytest.mark.parametrize(
    ("name", "field", "value", "expected"),
    [
        (f"results/honest/{ID}.json", "tier", "sandbox", "its units ran in the tier sandbox"),
        (f"results/honest/{ID}.json", "failed_share", 0.5, "failed_share does not follow"),
        (f"results/honest/gap/{ID}.json", "regrown", {"value": 0.5, "low": 0.4, "high": 0.6}, "another re-grown score"),
        (f"results/honest/gap/{ID}.json", "predictions", "0" * 64, "is not that of this result"),
        ("zoo.json", "commitment", "0" * 64, "not of its folder's name"),
        ("zoo.json", "secret", "another secret altogether", "not the one that it committed to"),
        ("zoo.json", "targets", {}, "names no targets"),
    ],
)
def test_what_was_edited_by_hand_is_refused_by_name(
    name: str, field: str, value: object, expected: str, folder: Path, book: TaskBook, public: Zoo
) -> None:
    path = home(folder) / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    results = read(folder, book, public)
    assert entries(results)["honest"].verified is None
    assert any(expected in problem and str(home(folder)) in problem for problem in results.problems)


def test_a_verification_of_another_version_of_the_file_is_stale(folder: Path, book: TaskBook, public: Zoo) -> None:
    path = folder / "results" / "honest" / f"{ID}.json"
    record = json.loads(path.read_text())
    record["method"]["source_hash"] = record["provenance"]["method"] = "n" * 64
    path.write_text(json.dumps(record))
    results = read(folder, book, public)
    found = entries(results)
    assert found["honest"].verified is None
    assert found["memoriser"].verified is not None
    assert results.problems == []
    assert any(
        "honest: verification is stale: the public result is of another version" in note for note in results.notes
    )


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("public", {"weights": "0" * 64, "annotations": "0" * 64}, "another weights and annotations then"),
        ("splits", {"phase-stratified": "0" * 64}, "another split phase-stratified then"),
    ],
)
def test_verifications_of_an_earlier_public_zoo_are_stale(
    field: str, value: object, expected: str, folder: Path, book: TaskBook, public: Zoo
) -> None:
    path = home(folder) / "zoo.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    results = read(folder, book, public)
    assert results.problems == []
    (note,) = results.notes
    assert "verification is stale" in note
    assert expected in note
    assert all(entry.verified is None for entry in entries(results).values())


def test_without_a_public_result_nothing_is_shown(folder: Path, book: TaskBook, public: Zoo) -> None:
    shutil.rmtree(folder / "results" / "honest")
    (note,) = read(folder, book, public).notes
    assert "honest: verification is stale: no public result of the method stands beside it" in note


def test_what_has_no_card_or_no_task_is_named(folder: Path, book: TaskBook, public: Zoo) -> None:
    shutil.copytree(home(folder), folder / "verified" / "other")
    (folder / "verified" / "other" / "zoo.json").unlink()
    shutil.copy(home(folder) / "results" / "honest" / f"{ID}.json", home(folder) / "results" / "honest" / "gone.json")
    problems = read(folder, book, public).problems
    assert any("other/results: there is no card" in problem for problem in problems)
    assert any("there is no task 'gone'" in problem for problem in problems)


def test_the_latest_secret_counts_and_may_be_disclosed(
    folder: Path, book: TaskBook, task: Task, public: Zoo, tmp_path: Path
) -> None:
    secret = SeedSecret(b"sixteen bytes or more")
    again = make_regrown_zoo(tmp_path / "again", secret.commitment)
    later = verify(task, public, again, folder, "honest", right, lost, DRAWN + timedelta(days=1))
    card = later.parents[2] / "zoo.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"secret": secret.key.decode()}))
    results = read(folder, book, public)
    assert results.problems == []
    found = entries(results)["honest"].verified
    assert found is not None
    assert (found.card.commitment, found.memorised) == (secret.commitment, True)


def test_a_board_that_was_built_before_is_not_scored_again(
    folder: Path, book: TaskBook, public: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = entries(read(folder, book, public, tmp_path / "cache"))
    monkeypatch.setattr("wslbench.leaderboard.verifications.checked", None)
    monkeypatch.setattr("wslbench.leaderboard.verifications.headline_draws", None)
    again = entries(read(folder, book, public, tmp_path / "cache"))
    assert {name: entry.verified for name, entry in again.items()} == {
        name: entry.verified for name, entry in first.items()
    }
    monkeypatch.undo()
    commit(book[ID], public, folder / "results", "honest", 6.0)  # the gap is to another public result
    assert entries(read(folder, book, public, tmp_path / "cache"))["honest"].verified.gap.high < 0


def test_a_verified_result_is_no_submission(folder: Path, book: TaskBook, public: Zoo, tmp_path: Path) -> None:
    found = add_results([home(folder) / "results" / "honest"], tmp_path / "board", book, lambda name: public)
    record = home(folder) / "results" / "honest" / f"{ID}.json"
    (refused,) = (line for line in found.refused if line.startswith(f"{record}: "))
    assert "stale" in refused or "verified" in refused
    assert (found.added, found.unchanged) == ([], [])
    assert not (tmp_path / "board").exists()


def test_the_board_shows_scores_on_both_zoos_and_the_gap(
    made: Path, book: TaskBook, public: Zoo, tmp_path: Path
) -> None:
    results = read(made, book, public)
    build_board(results, book, "quick", tmp_path, open_zoo=lambda name: public)
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert VERIFIED in page
    headings, cheat, honest = (
        [cell.strip() for cell in next(line for line in page.splitlines() if word in line).split("|")]
        for word in ("| # | method", "| memoriser |", "| honest |")
    )
    places = {heading: place for place, heading in enumerate(headings)}
    assert headings[5:7] == ["re-grown", "gap"]
    assert cheat[places["re-grown"]] == "0.200 [0.200, 0.200]"
    assert cheat[places["gap"]] == "0.800 [0.800, 0.800]"
    assert honest[places["gap"]] == "0.000 [0.000, 0.000]"
    assert (cheat[places["tier"]], cheat[places["note"]]) == ("verified", "memorised")
    assert (honest[places["tier"]], honest[places["note"]]) == ("verified", "")
    assert cheat[places["#"]] == honest[places["#"]] == "1", "ranks are of the public results"

    board = json.loads((tmp_path / "tables" / "board.json").read_text(encoding="utf-8"))
    rows = {row["method"]: row for row in board["tasks"][0]["rows"]}
    assert rows["memoriser"]["verified"]["memorised"] is True
    assert rows["memoriser"]["verified"]["gap"][:3] == pytest.approx([0.8, 0.8, 0.8])
    assert rows["honest"]["verified"]["regrown"][0] == 1
    assert rows["honest"]["metrics"]["balanced_accuracy"][0] == 1
    with (tmp_path / "tables" / "results.csv").open(encoding="utf-8") as file:
        told = {(row["method"], row["metric"]): row for row in csv.DictReader(file)}
    assert float(told["memoriser", "balanced_accuracy:gap"]["value"]) == pytest.approx(0.8)
    assert float(told["memoriser", "balanced_accuracy:regrown"]["value"]) == pytest.approx(0.2)
    assert told["memoriser", "balanced_accuracy"]["value"] == "1.0"

    methods = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html")}
    assert "on 1 tasks, 1 of them in part memorised; by Someone, seeds from cccccccccccc" in methods["memoriser"]
    assert "none of them memorised" in methods["honest"]
    assert ">gap<" in methods["memoriser"]


def test_a_board_without_verifications_has_no_column_more(made: Path, book: TaskBook, public: Zoo) -> None:
    verified = read(made, book, public)
    plain = replace(
        verified,
        tasks=[
            replace(each, entries=[replace(entry, verified=None) for entry in each.entries]) for each in verified.tasks
        ],
    )
    (with_them,), (without,) = make_boards(verified), make_boards(plain)
    assert with_them.standings.ranks == without.standings.ranks
    headings = [column.heading for column in without.table.columns]
    assert [column.heading for column in with_them.table.columns] == [*headings[:4], "re-grown", "gap", *headings[4:]]
    page = render_markdown([without], [], None)
    for word in ("re-grown", "verified", "memorised"):
        assert word not in page.lower()


def test_on_the_terminal_it_says_so_too(made: Path, book: TaskBook, public: Zoo) -> None:
    (board,) = make_boards(read(made, book, public))
    table = render_task_table(board.records, board.standings.ranks, 300, verified=board.verified)
    assert {"re-grown", "gap"} <= {column.header for column in table.columns}
    assert str(table.title).endswith("tier verified")


def test_a_method_that_failed_there_is_not_verified(
    folder: Path, book: TaskBook, task: Task, public: Zoo, regrown: Zoo
) -> None:
    """Who knows the public networks by heart may well crash on others: that must not hide it, nor count as memory."""
    verify(task, public, regrown, folder, "honest", right, lost, failed=True)
    (board,) = make_boards(read(folder, book, public))
    row = next(row for row in board.table.rows if row.name == "honest")
    texts = {column.heading: column.text(row) for column in board.table.columns}
    assert (texts["tier"], texts["note"]) == ("process", "re-grown: failed: crashed")
    assert texts["re-grown"].startswith("0.200")
