"""Every trick in both tiers, against the verdict that the table expects."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.redteam.conftest import World
from tests.redteam.table import IN_VAIN, SUCCEEDS, TRICKS, Trick

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the tricks are written for Linux")


@pytest.mark.parametrize("tier", ["process", "sandbox"])
@pytest.mark.parametrize("trick", TRICKS, ids=[trick.name for trick in TRICKS])
def test_every_trick_gets_its_verdict(attempt: Callable[[Trick, str], World], trick: Trick, tier: str) -> None:
    if tier == "process" and not _has(trick.needs):
        pytest.skip(f"there is no {trick.needs} here")
    world = attempt(trick, tier)
    expected = trick.process if tier == "process" else trick.sandbox
    assert trick.verdict(world) == expected, world.results[-1].failure


def test_every_trick_stands_in_the_table() -> None:
    written = {path.stem for path in (Path(__file__).parent / "tricks").glob("*.py")}
    assert written == {trick.name for trick in TRICKS}
    assert len(written) >= 20


def test_the_sandbox_lets_through_what_the_next_tier_stops_alone() -> None:
    for trick in TRICKS:
        assert (trick.sandbox == SUCCEEDS) == (trick.left_to == "verified")
        assert trick.process == SUCCEEDS or trick.sandbox in (trick.process, IN_VAIN)


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
