"""The command line of bubblewrap: what a program under it can and cannot do, tried by programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from wslbench.evaluation import bubblewrap, interpreter

WORKS = pytest.mark.skipif(bubblewrap.obstacle() is not None, reason=str(bubblewrap.obstacle()))


def under(script: str, readable: tuple[Path, ...] = (), masked: tuple[Path, ...] = ()) -> str:
    """What a script prints, its exceptions included."""
    line = bubblewrap.command_line((*interpreter.paths(), *readable), masked)
    done = subprocess.run(
        [*line, sys.executable, "-S", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


@WORKS
def test_nothing_can_be_written(tmp_path: Path) -> None:
    script = f"""
import os
for place in ("/", "/tmp", "/dev", "/dev/shm", "/var/tmp", "/usr", {str(tmp_path)!r}, ".", "/tmp/wslbench-unit"):
    try:
        open(os.path.join(place, "wslbench-written"), "w").close()
        print("wrote", place)
    except OSError:
        pass
"""
    assert under(script, (tmp_path,)) == ""


@WORKS
def test_homes_other_disks_and_the_checkout_are_not_there(tmp_path: Path) -> None:
    places = (Path.home() / ".bashrc", Path.cwd() / "README.md", Path.cwd() / ".git", Path("/mnt"), tmp_path)
    script = f"import os; print([place for place in {[str(place) for place in places]!r} if os.path.exists(place)])"
    assert under(script) == "[]\n"


@WORKS
def test_masked_files_and_folders_look_empty_and_cannot_be_filled(tmp_path: Path) -> None:
    folder, other_name = tmp_path / "readable", tmp_path / "other name"
    (folder / "zoo" / "own").mkdir(parents=True)
    (folder / "zoo" / "labels").write_text("secret")
    (folder / "zoo" / "own" / "method").write_text("shown")
    (folder / "splits").write_text("secret")
    (folder / "other").write_text("known")
    other_name.symlink_to(folder)
    script = f"""
import os
for folder in ({str(folder)!r}, {str(other_name)!r}):
    os.chdir(folder)
    print(os.listdir("zoo"), open("other").read())
    for path, mode in (("splits", "r"), ("zoo/forged", "w")):
        try:
            print(repr(open(path, mode).read()))
        except OSError as error:
            print(type(error).__name__)
print(open({str(folder / "zoo" / "own" / "method")!r}).read())
"""
    masked = (folder / "zoo", folder / "splits", folder / "missing", tmp_path / "elsewhere")
    seen = under(script, (folder, other_name, folder / "zoo" / "own"), masked)
    assert "secret" not in seen
    assert seen.startswith("['own'] known\n")
    assert "\n[] known\n" in seen
    assert seen.endswith("shown\n")
    assert (folder / "splits").read_text() == (folder / "zoo" / "labels").read_text() == "secret"
    assert not (folder / "zoo" / "forged").exists()


@WORKS
def test_there_is_no_network_capability_or_foreign_process() -> None:
    script = """
import os
print([line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]])
print([line.split()[1] for line in open("/proc/self/status") if line.startswith("CapEff")])
print(sum(name.isdigit() for name in os.listdir("/proc")) <= 3)
"""
    assert under(script) == "['lo']\n['0000000000000000']\nTrue\n"


@WORKS
def test_capabilities_cannot_be_had_in_a_further_user_namespace() -> None:
    script = """
import ctypes
CLONE_NEWUSER = 0x10000000
print(ctypes.CDLL(None).unshare(CLONE_NEWUSER))
"""
    assert under(script) == "-1\n"


@WORKS
def test_everything_dies_with_bubblewrap_also_what_left_the_session() -> None:
    script = "import os, time\nif os.fork() == 0: os.setsid()\nprint(flush=True)\ntime.sleep(300)"
    line = bubblewrap.command_line(interpreter.paths())
    with subprocess.Popen([*line, sys.executable, "-S", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()
        kin = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)
    patience = time.monotonic() + 30
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in kin):
        assert time.monotonic() < patience
        time.sleep(0.01)
    assert len(kin) >= 3


def test_a_machine_without_bubblewrap_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "apt-get install bubblewrap" in (bubblewrap.obstacle.__wrapped__() or "")


def test_a_bubblewrap_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "No permissions to create new namespace" in (bubblewrap.obstacle.__wrapped__() or "")
