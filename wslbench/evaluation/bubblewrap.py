"""The command line that puts a program under bubblewrap, and whether bubblewrap works on this machine.

Groundwork of the isolation tier ``sandbox``; no evaluation uses it yet, and results say ``process``
(:mod:`wslbench.evaluation.tier`).
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

PROGRAM: Final = "bwrap"
SCRATCH_BYTES: Final = 2**30
_PROBE_SECONDS: Final = 20.0
# Places of other programs' files and sockets: a read-only mount does not keep anybody from talking to a socket.
_EMPTIED: Final = (Path("/tmp"), Path("/var/tmp"), Path("/run"))


def command_line(
    scratch: Path, readable: Iterable[Path] = (), masked: Iterable[Path] = (), scratch_bytes: int = SCRATCH_BYTES
) -> list[str]:
    """What has to stand before a command so that it runs under bubblewrap.

    The command has namespaces of its own (network without any device, processes, users, IPC), no capabilities, and
    dies with whoever started it, as does everything that it starts. It reads the system, without temporary and run-time
    folders, and writes ``scratch`` alone.

    Parameters
    ----------
    scratch
        Where the command may write: an empty memory file system, of which nothing is on the machine's disk.
    readable
        Files and folders to be read although they lie in a temporary folder.
    masked
        Files and folders that look empty, also inside of readable ones. Those that do not exist are left out.
    scratch_bytes
        What fits into ``scratch``.
    """
    emptied = list(dict.fromkeys(path.resolve() for path in _EMPTIED if path.is_dir()))
    hidden = [path.resolve() for path in masked if path.exists()]
    folders = [path for path in hidden if path.is_dir()]
    line = [PROGRAM, "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    # Who may make a further user namespace has all capabilities in it, and can mount file systems without a limit.
    line += ["--unshare-user", "--disable-userns"]
    line += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for path in emptied:
        line += ["--tmpfs", str(path)]
    for path in readable:
        line += ["--ro-bind", str(path.resolve()), str(path.resolve())]
    for path in hidden:
        line += ["--tmpfs", str(path)] if path in folders else ["--ro-bind", "/dev/null", str(path)]
    line += ["--size", str(scratch_bytes), "--tmpfs", str(scratch.resolve())]
    for path in (*emptied, *folders, Path("/dev")):
        line += ["--remount-ro", str(path)]
    return [*line, "--chdir", str(scratch.resolve()), "--"]


@functools.cache
def obstacle() -> str | None:
    """Why nothing can run under bubblewrap on this machine, and what to do; None where it works. Tried once."""
    if shutil.which(PROGRAM) is None:
        return f"there is no {PROGRAM} on PATH: install bubblewrap (Debian and Ubuntu: apt-get install bubblewrap)"
    with tempfile.TemporaryDirectory() as scratch:
        try:
            tried = subprocess.run(
                [*command_line(Path(scratch)), "true"], capture_output=True, text=True, timeout=_PROBE_SECONDS
            )
        except subprocess.TimeoutExpired:
            return f"{PROGRAM} did not start `true` within {_PROBE_SECONDS:g} s"
    if tried.returncode == 0:
        return None
    reason = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
    return (
        f"{PROGRAM} does not start here ({reason}): it has to be of version 0.8 or later, and the system has to allow "
        "user namespaces"
    )
