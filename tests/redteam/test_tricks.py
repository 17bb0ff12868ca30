"""Every trick in all tiers, against the verdict that the table expects."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final, get_args

import pytest
from _pytest.mark.structures import ParameterSet

from tests.redteam.conftest import World
from tests.redteam.table import IN_VAIN, SUCCEEDS, TRICKS, Trick, is_scored
from wslbench.evaluation.tier import Tier

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the tricks are written for Linux")


TIERS: Final = get_args(Tier)


def _try(trick: Trick, tier: Tier) -> ParameterSet:
    # The walls of `verified` are the sandbox's: what they stop is tried once more in the long run alone.
    slow = tier == "verified" and trick.sandbox != SUCCEEDS
    return pytest.param(trick, tier, id=f"{trick.name}-{tier}", marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize(("trick", "tier"), [_try(trick, tier) for tier in TIERS for trick in TRICKS])
def test_every_trick_gets_its_verdict(attempt: Callable[[Trick, Tier], World], trick: Trick, tier: Tier) -> None:
    if tier == "process" and not _has(trick.needs):
        pytest.skip(f"there is no {trick.needs} here")
    world = attempt(trick, tier)
    assert trick.verdict(world) == getattr(trick, tier), world.results[-1].failure


def test_a_forged_score_would_be_noticed(attempt: Callable[[Trick, Tier], World]) -> None:
    """Who does know the labels gets the score that tricks of the judge are after."""
    (trick,) = (trick for trick in TRICKS if trick.name == "table_of_hashes")
    assert is_scored(attempt(replace(trick, task="test-accuracy@new-load", folds=2), "process"))


def test_every_trick_stands_in_the_table() -> None:
    written = {path.stem for path in (Path(__file__).parent / "tricks").glob("*.py")}
    assert written == {trick.name for trick in TRICKS}
    assert len(written) >= 20


def test_a_tier_stops_what_the_tier_before_it_stops() -> None:
    for trick in TRICKS:
        assert trick.process == SUCCEEDS or trick.sandbox in (trick.process, IN_VAIN)
        assert trick.verified in (trick.sandbox, IN_VAIN)


def test_the_sandbox_lets_through_answers_in_the_source_and_the_next_tier_those_about_cells_alone() -> None:
    through = {tier: {trick.name for trick in TRICKS if getattr(trick, tier) == SUCCEEDS} for tier in TIERS}
    assert through["sandbox"] == {"table_of_hashes", "table_of_sketches", "table_of_cells"}
    assert through["verified"] == {"table_of_cells"}


def test_what_is_known_of_cells_leaves_no_gap(attempt: Callable[[Trick, Tier], World]) -> None:
    (trick,) = (trick for trick in TRICKS if trick.name == "table_of_cells")
    scores = [attempt(replace(trick, folds=5), tier).headline() for tier in ("sandbox", "verified")]
    assert scores == [1, 1]


def _has(what: str) -> bool:
    """Whether the machine lets a trick be tried at all; containers often do not."""
    if what == "ptrace":
        return subprocess.run(["head", "-c0", f"/proc/{os.getpid()}/mem"], capture_output=True).returncode == 0
    if what == "keyrings":
        keyctl = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine)
        get_keyring_id, of_the_user = 0, -4
        return keyctl is not None and ctypes.CDLL(None).syscall(keyctl, get_keyring_id, of_the_user, 1) > 0
    if what == "history":
        return (Path(__file__).parents[2] / ".git" / "HEAD").is_file()
    return True
