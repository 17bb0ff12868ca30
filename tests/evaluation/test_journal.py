"""The journal gives back what it was given, and nothing that is damaged or of another key."""

from __future__ import annotations

from pathlib import Path

import pytest

from wslbench.errors import ResultError
from wslbench.evaluation.journal import Journal, JournalEntry, still_holds, unit_key
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.result_schema import Status, UnitOutcome

LIMITS = Limits(60.0, 2**30)


def entry(status: Status = "ok", key: str = "k") -> JournalEntry:
    return JournalEntry(
        key=key,
        limit_seconds=LIMITS.seconds,
        limit_bytes=LIMITS.memory_bytes,
        outcome=UnitOutcome(fold=1, seed=2, status=status, models=2),
        model_ids=["a", "b"],
        predictions=[[0.1, 1 / 3], [1e-300, 1.0]],
    )


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "out" / "method")
    with made.open():
        made.keep("zoo.task@new-load", entry())
    return made


def test_an_entry_comes_back_exactly(journal: Journal) -> None:
    assert journal.find("zoo.task@new-load", 1, 2, "k") == entry()


def test_other_units_and_other_keys_are_not_found(journal: Journal) -> None:
    assert journal.find("zoo.task@new-load", 1, 2, "other") is None
    assert journal.find("zoo.task@new-load", 2, 1, "k") is None
    assert journal.find("zoo.task", 1, 2, "k") is None


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"{}", lambda b: b"\xff" * 9])
def test_a_damaged_entry_is_not_found(journal: Journal, tmp_path: Path, damage) -> None:
    (path,) = tmp_path.rglob("seed-2-fold-1.json")
    path.write_bytes(damage(path.read_bytes()))
    assert journal.find("zoo.task@new-load", 1, 2, "k") is None


def test_two_evaluations_do_not_share_a_folder(journal: Journal, tmp_path: Path) -> None:
    with (
        journal.open(),
        pytest.raises(ResultError, match="Another evaluation"),
        Journal(tmp_path / "out/method").open(),
    ):
        pass
    with journal.open():
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="cannot be written"), Journal(tmp_path / "file" / "method").open():
        pass


def test_failures_hold_until_asked_for_again_or_given_more(journal: Journal) -> None:
    more = Limits(120.0, 2**30)
    assert still_holds(entry("ok"), more, retry_failures=True)
    assert still_holds(entry("fit_error"), more, retry_failures=False)
    assert not still_holds(entry("fit_error"), LIMITS, retry_failures=True)
    assert still_holds(entry("timeout"), LIMITS, retry_failures=False)
    assert not still_holds(entry("timeout"), more, retry_failures=False)
    assert not still_holds(entry("out_of_memory"), Limits(60.0, 2**31), retry_failures=False)


def test_keys_tell_parts_apart() -> None:
    assert unit_key("ab", "c") != unit_key("a", "bc")
    assert unit_key("a", "b") == unit_key("a", "b")
