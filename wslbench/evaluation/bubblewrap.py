"""The command line that puts a program under bubblewrap, and whether bubblewrap works on this machine.

The outer wall of the isolation tier ``sandbox``, shared by all units of an evaluation; what keeps units apart from each
other is in :mod:`wslbench.evaluation.namespaces`.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from wslbench.evaluation.namespaces import SCRATCH

PROGRAM: Final = "bwrap"
_PROBE_SECONDS: Final = 20.0
_IMPORTING_BYTES: Final = 64 * 2**20
# What programs need of a system. Homes, mounted disks and the folders of running programs are not among it.
_SYSTEM: Final = tuple(
    Path(path)
    for path in (
        "/bin", "/etc", "/gnu/store", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/sbin",
        "/sys/devices/system", "/usr",
    )
)  # fmt: skip
# To mount what is a unit's own, and to give up these very capabilities for good.
_CAPABILITIES: Final = ("CAP_SYS_ADMIN", "CAP_SETPCAP")


def command_line(readable: Iterable[Path] = (), masked: Iterable[Path] = (), trusted: bool = False) -> list[str]:
    """What has to stand before a command so that it runs under bubblewrap.

    The command has namespaces of its own (network without any device, processes, users, IPC), and dies with whoever
    started it, as does everything that it starts. It sees the system's programs and libraries and what it is given,
    all of it read-only, and nothing else.

    Parameters
    ----------
    readable
        Files and folders to be read; those that do not exist are left out.
    masked
        Files and folders inside of readable ones that look empty. What is readable inside of them stays so.
    trusted
        Whether the command keeps the capabilities with which :mod:`wslbench.evaluation.namespaces` gives every unit
        folders and processes of its own, and sees the machine's ``/proc``, without which none can be mounted. They are
        worth nothing outside, and no method's code runs before they are gone. Others have no capability at all.
    """
    real = {path.absolute(): path.resolve() for path in (*_SYSTEM, *readable) if path.exists()}
    shown = {*real, *real.values()}
    hidden = set(_inside(shown, (path.resolve() for path in masked if path.exists())))
    # A folder that has two names is there twice, and what is masked in it as well.
    hidden |= {name / path.relative_to(real[name]) for name in real for path in _inside({real[name]}, hidden)}
    line = [PROGRAM, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    for capability in _CAPABILITIES if trusted else ():
        line += ["--cap-add", capability]
    # Who may make a further user namespace has all capabilities in it, and can mount file systems without a limit.
    line += ["--unshare-user", "--disable-userns"]
    emptied = []
    # The outer before the inner, so that nothing is covered by what it lies in; where both are said, masks win.
    for path in sorted(shown | hidden):
        around = next((folder for folder in path.parents if folder in shown | hidden), None)
        if around is not None and (path in hidden) == (around in hidden):
            continue  # that says it already
        if path not in hidden:
            line += ["--ro-bind", str(path), str(path)]
        elif path.is_dir():
            line += ["--tmpfs", str(path)]
            emptied.append(path)
        else:
            line += ["--ro-bind", "/dev/null", str(path)]
    # Libraries may want a folder to write to while they are imported. Units have folders of their own above it.
    line += ["--size", str(_IMPORTING_BYTES), "--tmpfs", str(SCRATCH)] if trusted else ["--dir", str(SCRATCH)]
    line += ["--dir", "/var/tmp", "--dev", "/dev"]
    line += ["--bind", "/proc", "/proc"] if trusted else ["--proc", "/proc"]
    for path in (*emptied, Path("/dev"), Path("/")):
        line += ["--remount-ro", str(path)]
    return [*line, "--chdir", "/", "--"]


def _inside(folders: set[Path], paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if any(path.is_relative_to(folder) for folder in folders)]


@functools.cache
def obstacle() -> str | None:
    """Why no unit can run in the sandbox on this machine, and what to do; None where one can. Tried once."""
    if shutil.which(PROGRAM) is None:
        return f"there is no {PROGRAM} on PATH: install bubblewrap (Debian and Ubuntu: apt-get install bubblewrap)"
    from wslbench.evaluation import interpreter, namespaces

    command = [*command_line(interpreter.paths(), trusted=True), sys.executable, "-P", "-m", namespaces.__name__]
    try:
        tried = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_SECONDS, env=interpreter.environment(), check=False
        )
    except subprocess.TimeoutExpired:
        return f"{PROGRAM} did not start a process within {_PROBE_SECONDS:g} s"
    if tried.returncode == 0:
        return None
    reason = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
    return (
        f"{PROGRAM} does not start a process here ({reason}): it has to be of version 0.8 or later, and the system has "
        "to allow user namespaces, and file systems to be mounted in them"
    )
