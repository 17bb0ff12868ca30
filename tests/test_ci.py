"""What CI does before it tests: the programs that it installs, and the sandbox that it must not skip."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import pytest_sessionstart
from wslbench.evaluation import bubblewrap

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is for Linux")


def machine(folder: Path, user: int, programs: tuple[str, ...]) -> dict[str, str]:
    """The environment of a machine with these programs, each of which writes down how it was called."""
    folder.mkdir()
    for name in ("bash", "cat", "mktemp", "rm", "true"):
        (folder / name).symlink_to(str(shutil.which(name)))
    called = f'echo "{{}} $*" >> {folder}/called\n'
    scripts = {name: called.format(name) for name in programs} | {"id": f"echo {user}\n"}
    if "sudo" in programs:
        scripts["sudo"] = called.format("sudo") + '[ "$1" = -n ] || exit 1\nshift\nexec "$@"\n'
    for name, script in scripts.items():
        (folder / name).write_text(f"#!{shutil.which('bash')}\n{script}")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


def installed(folder: Path, user: int, *programs: str) -> tuple[list[str], str]:
    """How apt-get was called on such a machine, and what was said."""
    environment = machine(folder, user, programs)
    done = subprocess.run(
        ["bash", ".ci/programs"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    log = folder / "called"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line for line in lines if line.startswith("apt-get")], done.stderr


INSTALLED = ["-qq update", "-qq install -y bubblewrap", "-qq update", "-qq install -y chromium"]


@pytest.mark.parametrize(("user", "programs"), [(0, ("apt-get",)), (1001, ("apt-get", "sudo"))])
def test_missing_programs_are_installed_by_root_and_by_a_user_with_sudo(
    tmp_path: Path, user: int, programs: tuple[str, ...]
) -> None:
    calls, said = installed(tmp_path / "machine", user, *programs)
    assert calls == [f"apt-get {words}" for words in INSTALLED]
    assert said == ""


def test_what_is_there_is_not_installed_and_what_cannot_be_is_named(tmp_path: Path) -> None:
    for browser in ("chromium", "google-chrome"):
        assert installed(tmp_path / browser, 0, "apt-get", "bwrap", browser) == ([], "")
    calls, said = installed(tmp_path / "no sudo", 1001, "apt-get", "chromium")
    assert calls == []
    assert said.startswith("there is no bwrap, and")
    assert said.count("\n") == 1


def test_tests_of_the_sandbox_are_not_skipped_where_they_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "obstacle", lambda: "there is no bwrap")
    monkeypatch.setenv("WSLBENCH_REQUIRE_SANDBOX", "1")
    with pytest.raises(pytest.UsageError, match="would be skipped: there is no bwrap"):
        pytest_sessionstart()
    monkeypatch.setattr(bubblewrap, "obstacle", lambda: None)
    pytest_sessionstart()
    monkeypatch.setattr(bubblewrap, "obstacle", lambda: "there is no bwrap")
    monkeypatch.setenv("WSLBENCH_REQUIRE_SANDBOX", "0")
    pytest_sessionstart()


def test_ci_requires_the_sandbox() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    steps = ("bash .ci/programs", "export WSLBENCH_REQUIRE_SANDBOX=", 'bash -euo pipefail -c "$tests"')
    assert [script.count(step) for step in steps] == [1, 1, 1]
    assert sorted(steps, key=script.index) == list(steps)
