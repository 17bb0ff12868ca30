"""``wslbench leaderboard add``: what stands comes in, and what CONTRIBUTING says is refused changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from tests.cli.conftest import OTHER_TASK, TASK, Desk, Said, contents, desk_in
from tests.leaderboard.boards import commit
from wslbench.evaluation.predictions import hash_predictions
from wslbench.evaluation.record_files import text_of
from wslbench.evaluation.result_files import read_record

Change = Callable[[Path], object]


def edited(**fields: object) -> Change:
    """An edit of a record as an editor makes it, all else as it was; ``a__b=1`` is ``record["a"]["b"] = 1``."""

    def change(path: Path) -> None:
        record: dict[str, Any] = json.loads(path.read_text())
        for place, value in fields.items():
            *outer, last = place.split("__")
            inside = record
            for step in outer:
                inside = inside[step]
            inside[last] = value
        path.write_text(json.dumps(record, indent=1) + "\n")

    return change


def better_predictions(path: Path) -> None:
    """Predictions moved half-way to the truth."""
    table = pd.read_parquet(path.with_suffix(".parquet"))
    table["prediction"] = (table["prediction"] + table["target"]) / 2
    table.to_parquet(path.with_suffix(".parquet"))


def better_predictions_and_their_hash(path: Path) -> None:
    better_predictions(path)
    edited(provenance__predictions=hash_predictions(pd.read_parquet(path.with_suffix(".parquet"))))(path)


def without_a_row(path: Path) -> None:
    """The worst prediction left out, and the hash mended."""
    table = pd.read_parquet(path.with_suffix(".parquet"))
    table = table.drop((table["prediction"] - table["target"]).abs().idxmax())
    table.to_parquet(path.with_suffix(".parquet"))
    edited(provenance__predictions=hash_predictions(table))(path)


def no_table(path: Path) -> None:
    path.with_suffix(".parquet").write_bytes(b"\x80\x04K*.")  # a pickle


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def of_another_task(path: Path) -> None:
    for file in (path, path.with_suffix(".parquet")):
        file.rename(file.with_name(file.name.replace("loss-gap", "phase")))


def of_no_task(path: Path) -> None:
    for file in (path, path.with_suffix(".parquet")):
        file.rename(file.with_name(file.name.replace("loss-gap", "beauty")))


def under_another_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("yours"))


def an_audit_of_nothing(path: Path) -> None:
    (path.parent / "audit").mkdir()
    (path.parent / "audit" / path.name).write_text("{}")


STALE = "stale: it was made with another {}; evaluate the method again"
# The rows of CONTRIBUTING's table, in its order; all but those about what the board has already.
REFUSED: dict[str, tuple[Change, str]] = {
    "stale: task": (edited(provenance__task="0" * 64), STALE.format("task")),
    "stale: weights": (edited(provenance__weights="0" * 64), STALE.format("weights")),
    "stale: annotations": (edited(provenance__annotations="0" * 64), STALE.format("annotations")),
    "stale: split": (edited(provenance__split="0" * 64), STALE.format("split")),
    "tampered: predictions": (better_predictions, "are not those that the record was made from"),
    "tampered: predictions and their hash": (
        better_predictions_and_their_hash,
        "does not follow from its predictions, and",
    ),
    "tampered: a row left out": (without_a_row, "do not hold each of its 30 models once in every seed"),
    "edited: headline": (
        edited(metrics__kendall_tau__value=0.99),
        "metrics.kendall_tau.value does not follow from its predictions",
    ),
    "edited: end of an interval": (edited(metrics__mae__low=0.0), "metrics.mae.low does not follow"),
    "edited: lift": (edited(lift__low=0.5), "lift.low does not follow from its predictions"),
    "edited: a floor": (edited(floors__chance__kendall_tau__value=-1.0), "floors.chance.kendall_tau.value does not"),
    "edited: worst phase": (edited(worst_phase=None), "worst_phase does not follow from its predictions"),
    "edited: cost": (edited(cost__fit_seconds=0.1), "cost does not follow from its units"),
    "edited: coverage": (edited(coverage=0.5), "coverage does not follow from its units"),
    "edited: status": (edited(status="timeout"), "status does not follow from its units"),
    "edited: units": (edited(units=[]), "its units are not one for each fold and seed"),
    "edited: seeds": (edited(seeds=[7]), "its units are not one for each fold and seed"),
    "edited: hash of the method's file": (
        edited(method__source_hash="0" * 64),
        "method.source_hash and provenance.method are of two files",
    ),
    "edited: tier": (edited(tier="verified"), "it says that it was verified"),
    "edited: another name": (edited(method__name="yours"), "not of its file's name"),
    "edited: a field more": (edited(blessed=True), "blessed: Extra inputs are not permitted"),
    "edited: schema": (edited(schema_version=3), "schema_version"),
    "edited: layout alone": (lambda path: path.write_text(path.read_text() + "\n"), "or edited by hand"),
    "damaged": (cut_off, "is not a record of this version"),
    "older rules": (edited(provenance__scoring=1), "`wslbench leaderboard rescore DIR` scores it anew"),
    "newer rules": (edited(provenance__scoring=99), "update wslbench"),
    "other floors": (edited(provenance__floors={}), "`wslbench leaderboard rescore DIR` scores it anew"),
    "half: no predictions": (lambda path: path.with_suffix(".parquet").unlink(), "the predictions {} are missing"),
    "half: a pickle for predictions": (no_table, "the predictions cannot be read"),
    "misplaced: task": (of_another_task, "not of its file's name"),
    "misplaced: method": (under_another_folder, "not of its file's name"),
    "misplaced: no such task": (of_no_task, "beauty"),
    "audit: none": (an_audit_of_nothing, "is not a record of this version"),
}


def mine(desk: Desk) -> Path:
    return desk.submitted / "mine" / f"{TASK}.json"


class Refusals(NamedTuple):
    """What became of all that is refused, sent in one call."""

    said: Said
    sent: Path
    before: dict[str, bytes]
    after: dict[str, bytes]


def folder_of(case: str) -> str:
    return case.replace(" ", "_").replace(":", "").replace("'", "")


@pytest.fixture(scope="module")
def refusals(made, tmp_path_factory: pytest.TempPathFactory) -> Refusals:
    sent = tmp_path_factory.mktemp("sent")
    with desk_in(tmp_path_factory.mktemp("refusals"), made) as desk:
        for case, (change, _) in REFUSED.items():
            shutil.copytree(desk.submitted, sent / folder_of(case))
            change(sent / folder_of(case) / "mine" / f"{TASK}.json")
        before = contents(desk.board)
        said = desk.run("add", *sorted(sent.iterdir()), "--replace")
        return Refusals(said, sent, before, contents(desk.board))


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_stand_is_refused_by_name_and_with_the_reason(case: str, refusals: Refusals) -> None:
    sent = refusals.sent / folder_of(case)
    (line,) = [line for line in refusals.said.out.splitlines() if line.startswith(f"refused    {sent}/")]
    expected = REFUSED[case][1].format(sent / "mine" / f"{TASK}.parquet")
    assert expected.lower() in line.lower()


def test_refusals_leave_with_1_and_the_board_as_it_was(refusals: Refusals) -> None:
    assert (refusals.said.code, refusals.said.err) == (1, "")
    assert refusals.said.out.endswith(f"0 added, 0 there already, {len(REFUSED)} refused.\n")
    assert refusals.after == refusals.before


def test_what_stands_is_added_byte_for_byte_and_once(desk: Desk) -> None:
    before, sent = contents(desk.board), contents(desk.submitted)
    said = desk.run("add", desk.submitted)
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith("1 added, 0 there already, 0 refused.\n")
    assert contents(desk.board) == before | sent
    again = desk.run("add", desk.submitted / "mine")
    assert again.code == 0
    assert again.out.endswith("0 added, 1 there already, 0 refused.\n")
    assert desk.run("verify", desk.board).code == 0


def test_a_dry_run_says_the_same_and_writes_nothing(desk: Desk) -> None:
    before = contents(desk.board)
    said = desk.run("add", desk.submitted, "--dry-run")
    assert said.code == 0
    assert f"would add  {desk.board / 'mine' / mine(desk).name}" in said.out
    assert said.out.endswith("1 would be added, 0 there already, 0 refused.\n")
    edited(coverage=0.5)(mine(desk))
    assert desk.run("add", desk.submitted, "--dry-run").code == 1
    assert contents(desk.board) == before


def test_another_folder_may_be_named_and_its_floors_count(desk: Desk, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(desk.board, copy)
    before = contents(desk.board)
    assert desk.run("add", desk.submitted, "--to", copy).code == 0
    assert contents(desk.board) == before
    assert (copy / "mine" / mine(desk).name).is_file()
    shutil.rmtree(copy / "mine")
    shutil.rmtree(copy / "chance")
    said = desk.run("add", desk.submitted, "--to", copy)
    assert said.code == 1
    assert "beside other floors" in said.out


def test_a_result_takes_the_place_of_another_only_when_told_to(desk: Desk) -> None:
    desk.run("add", desk.submitted)
    commit(desk.book[TASK], desk.zoo, desk.board, "newer", 0.2, seed=5)
    shutil.rmtree(desk.submitted)
    shutil.move(desk.board / "newer", desk.submitted / "mine")
    edited(method__name="mine", method__file="mine.py")(mine(desk))
    mine(desk).write_text(text_of(read_record(mine(desk))))
    before, sent = contents(desk.board), contents(desk.submitted)
    said = desk.run("add", desk.submitted)
    assert said.code == 1
    assert "is there already and is another; --replace puts this one in its place" in said.out
    assert contents(desk.board) == before
    assert desk.run("add", desk.submitted, "--replace", "--dry-run").code == 0
    assert contents(desk.board) == before
    assert desk.run("add", desk.submitted, "--replace").code == 0
    assert contents(desk.board) == before | sent


def under_the_name(name: str, path: Path, **fields: object) -> Path:
    """A copy of a result under another name, as clean as the original; its path."""
    copy = path.parent.with_name(name) / path.name
    copy.parent.mkdir()
    shutil.copyfile(path.with_suffix(".parquet"), copy.with_suffix(".parquet"))
    shutil.copyfile(path, copy)
    edited(method__name=name, method__file=f"{name}.py", **fields)(copy)
    copy.write_text(text_of(read_record(copy)))
    return copy


@pytest.mark.parametrize("source", ["m", "n"])  # the same file, and another one
def test_a_copy_of_what_is_on_the_board_is_refused(source: str, desk: Desk) -> None:
    desk.run("add", desk.submitted)
    copy = under_the_name("yours", mine(desk), method__source_hash=source * 64, provenance__method=source * 64)
    shutil.rmtree(desk.submitted / "mine")
    said = desk.run("add", desk.submitted, "--replace")
    assert said.code == 1
    assert f"{copy}: it is the result of mine under another name: {desk.board / 'mine' / copy.name}" in said.out
    assert not (desk.board / "yours").exists()


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_of_copies_in_one_call_the_first_is_added(options: tuple[str, ...], desk: Desk) -> None:
    copy = under_the_name("yours", mine(desk))
    said = desk.run("add", desk.submitted / "mine", desk.submitted / "yours", *options)
    assert said.code == 1
    assert f"{copy}: it is the result of mine under another name: {mine(desk)}" in said.out
    assert "1 would be added" in said.out or "1 added" in said.out
    assert not (desk.board / "yours").exists()


@pytest.mark.parametrize("options", [("--replace",), ("--replace", "--dry-run")])
def test_of_two_results_of_one_method_and_task_in_one_call_neither_replaces_the_other(options, desk: Desk) -> None:
    again, other = (desk.submitted.with_name(name) for name in ("again", "other"))
    shutil.copytree(desk.submitted, again)
    shutil.copytree(desk.submitted, other)
    (other / "mine").rename(other / "first")
    replaced = under_the_name("mine", desk.board / "good" / f"{TASK}.json")
    shutil.move(replaced.parent, other / "mine")
    shutil.rmtree(other / "first")
    said = desk.run("add", desk.submitted, again, other, *options)
    assert said.code == 1
    assert said.out.endswith("1 there already, 1 refused.\n")
    assert f"{again / 'mine' / mine(desk).name} is of the same method and task and is another" in said.out


def test_chance_by_another_name_is_no_copy(desk: Desk) -> None:
    """A method that knows nothing of the models answers all of a fold alike."""
    for name in ("chance", "blind"):
        commit(desk.book[OTHER_TASK], desk.zoo, desk.board, name, 0.0, constant=True)
    shutil.move(desk.board / "blind", desk.submitted / "blind")
    said = desk.run("add", desk.submitted / "blind")
    assert (said.code, said.out.splitlines()[-1]) == (0, "1 added, 0 there already, 0 refused.")
    verified = desk.run("verify")
    assert verified.code == 0
    assert "same predictions" not in verified.out


def test_one_that_is_refused_does_not_keep_the_others_out(desk: Desk) -> None:
    shutil.copytree(desk.board / "bad", desk.submitted / "bad")
    edited(metrics__kendall_tau__value=0.99)(desk.submitted / "bad" / f"{TASK}.json")
    (desk.submitted / "half").mkdir()
    (desk.submitted / "half" / f"{TASK}.parquet").write_bytes(b"")
    said = desk.run("add", desk.submitted)
    assert said.code == 1
    assert said.out.endswith("1 added, 0 there already, 2 refused.\n")
    assert "half/tiny-cnn.loss-gap.parquet: there is no record beside these predictions" in said.out


def test_strays_beside_results_are_refused_and_keep_none_of_them_out(desk: Desk) -> None:
    """Neither a record too high nor one too deep is passed over, nor is the folder taken for a method's."""
    strays = ("stray.json", "mine/deeper/lost.json", "mine/audit/lost.json")
    for name in strays:
        (desk.submitted / name).parent.mkdir(exist_ok=True)
        (desk.submitted / name).write_text("{}")
    said = desk.run("add", desk.submitted)
    assert said.code == 1
    assert said.out.endswith("1 added, 0 there already, 3 refused.\n")
    for name in strays:
        assert f"refused    {desk.submitted / name}: " in said.out
    shutil.rmtree(desk.submitted / "mine" / "deeper")
    (desk.submitted / "mine" / ".journal").mkdir()
    (desk.submitted / "mine" / ".journal" / "unit.json").write_text("{}")
    of_one = desk.run("add", desk.submitted / "mine")
    assert of_one.out.endswith("0 added, 1 there already, 1 refused.\n")
    assert f"{desk.submitted / strays[2]}: there is no result that this audit is of." in of_one.out


def test_the_audit_comes_along(desk: Desk) -> None:
    audit = with_an_audit(desk)
    assert desk.run("add", desk.submitted).code == 0
    assert (desk.board / "mine" / "audit" / audit.name).read_bytes() == audit.read_bytes()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"task": "tiny-cnn.phase"}, "the audit is of mine on tiny-cnn.phase"),
        ({"method__name": "yours"}, "the audit is of yours"),
        ({"provenance__method": "0" * 64}, "stale: it was made with another method; audit the method again"),
    ],
)
def test_an_audit_of_something_else_is_refused_with_its_result(fields: dict, expected: str, desk: Desk) -> None:
    audit = with_an_audit(desk)
    edited(**fields)(audit)
    before = contents(desk.board)
    said = desk.run("add", desk.submitted)
    assert said.code == 1
    assert expected in said.out
    assert contents(desk.board) == before


@pytest.mark.parametrize("alone", [False, True], ids=["beside its result", "alone"])
@pytest.mark.parametrize("folder", ["", "mine"], ids=["of methods", "of one method"])
def test_an_audit_may_follow_its_result(folder: str, alone: bool, desk: Desk) -> None:
    assert desk.run("add", desk.submitted).code == 0
    audit = with_an_audit(desk)
    board = desk.board / "mine" / "audit" / audit.name
    if alone:
        for path in (desk.submitted / "mine").glob("*.*"):
            path.unlink()
    dry = desk.run("add", desk.submitted / folder, "--dry-run")
    assert not board.exists()
    said = desk.run("add", desk.submitted / folder)
    there = 0 if alone else 1
    assert (dry.code, dry.out.splitlines()[-1]) == (0, f"1 would be added, {there} there already, 0 refused.")
    assert (said.code, said.out.splitlines()[-1]) == (0, f"1 added, {there} there already, 0 refused.")
    assert board.read_bytes() == audit.read_bytes()
    again = desk.run("add", desk.submitted / folder)
    assert again.out.splitlines()[-1] == f"0 added, {there + 1} there already, 0 refused."
    audit.write_text(audit.read_text().replace("too slow", "much too slow"))
    other = desk.run("add", desk.submitted / folder)
    assert (other.code, other.out.splitlines()[-1]) == (1, f"0 added, {there} there already, 1 refused.")
    assert f"refused    {audit}: {board} is there already and is another; --replace puts this one in its" in other.out
    assert desk.run("add", desk.submitted / folder, "--replace").code == 0
    assert board.read_bytes() == audit.read_bytes()
    assert desk.run("verify").code == 0


def test_an_audit_that_follows_must_be_of_the_result_that_is_there(desk: Desk) -> None:
    assert desk.run("add", desk.submitted).code == 0
    audit = with_an_audit(desk)
    edited(provenance__method="0" * 64)(audit)
    for path in (desk.submitted / "mine").glob("*.*"):
        path.unlink()
    before = contents(desk.board)
    said = desk.run("add", desk.submitted)
    assert said.code == 1
    assert f"refused    {audit}: stale: it was made with another method; audit the method again" in said.out
    assert said.out.splitlines()[-1] == "0 added, 0 there already, 1 refused."
    assert contents(desk.board) == before


def test_an_audit_may_come_from_another_folder_than_its_result(desk: Desk, tmp_path: Path) -> None:
    audit = with_an_audit(desk)
    elsewhere = tmp_path / "audits" / "mine"
    elsewhere.mkdir(parents=True)
    shutil.move(audit.parent, elsewhere / "audit")
    before = contents(desk.board)
    dry = desk.run("add", desk.submitted, elsewhere, "--dry-run")
    assert contents(desk.board) == before
    said = desk.run("add", desk.submitted, elsewhere)
    assert (dry.code, dry.out.splitlines()[-1]) == (0, "2 would be added, 0 there already, 0 refused.")
    assert (said.code, said.out.splitlines()[-1]) == (0, "2 added, 0 there already, 0 refused.")
    assert (desk.board / "mine" / "audit" / audit.name).exists()


def test_an_audit_does_not_outlive_the_result_that_it_is_of(desk: Desk) -> None:
    with_an_audit(desk)
    assert desk.run("add", desk.submitted).code == 0
    board = desk.board / "mine" / "audit" / mine(desk).name
    assert board.exists()
    shutil.rmtree(desk.submitted / "mine" / "audit")
    edited(provenance__method="0" * 64, method__source_hash="0" * 64)(mine(desk))
    assert desk.run("add", desk.submitted).code == 1
    assert board.exists()
    assert desk.run("add", desk.submitted, "--replace").code == 0
    assert not board.exists()
    assert desk.run("verify").code == 0


def with_an_audit(desk: Desk) -> Path:
    """Where the audit is that the submitted result now has."""
    audit = desk.submitted / "mine" / "audit" / mine(desk).name
    audit.parent.mkdir()
    audit.write_text(audit_of(mine(desk)))
    return audit


def audit_of(path: Path) -> str:
    """An audit that belongs to a result, and has nothing to say."""
    record = read_record(path)
    hashes = record.provenance.model_dump(include={"task", "weights", "annotations", "split", "method", "evaluator"})
    audit = {
        "schema_version": 1,
        "method": record.method.model_dump(),
        "task": record.task.id,
        "metric": record.task.headline,
        "status": "timeout",
        "message": "too slow",
        "created": "2026-01-01T00:00:00Z",
        "seeds": [0],
        "draws": 1,
        "coverage": 1.0,
        "score": {"value": None, "low": None, "high": None},
        "permutation": None,
        "scaling": None,
        "provenance": hashes,
    }
    return json.dumps(audit, indent=2)


def test_nothing_to_add_and_nowhere_to_look_are_errors(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for source, expected in (("empty", "There is no result in"), ("nowhere", "There is no results folder")):
        said = desk.run("add", tmp_path / source)
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith(f"error: {expected}")
