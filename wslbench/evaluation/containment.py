"""The warden: a small process around each unit that leaves nothing behind, whatever the method does.

parent ── warden ── child (runs the method) ── anything that the method starts

The warden runs neither user code nor sees any data. On Linux it adopts orphans of its descendants, so that
"no process is left" is something that the kernel answers. It kills everything when the child has ended,
and when the parent hangs up: on purpose (a limit, Ctrl-C) or because it was killed itself. It makes the
child's private folder and removes it.

Run as ``python -m wslbench.evaluation.containment CHILD LIFE LOG`` (file descriptors) it is the plain-spawn
way to start a unit; the fork server calls :func:`contain` in a forked process.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final, NoReturn

import psutil

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
PRIVATE_PREFIX: Final = "wslbench-unit-"


def contain(child_fd: int, life_fd: int, log_fd: int) -> NoReturn:
    """Be the warden of one unit, then leave this process.

    Parameters
    ----------
    child_fd
        Socket of the child's conversation with the parent.
    life_fd
        Socket on which the warden tells the parent who it and the child are and where the child lives, and at
        the end, when all is gone, how the child ended: a line of JSON each. An end of file from the parent
        means: kill.
    log_fd
        Open file for what the method prints.
    """
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        adopt_orphans()
        _contain(child_fd, life_fd, log_fd, Path(tempfile.mkdtemp(prefix=PRIVATE_PREFIX)))
        code = 0
    finally:
        # Never back into the server's loop, nor through its exit handlers.
        os._exit(code)


def adopt_orphans() -> None:
    """On Linux: make this process the parent of orphaned descendants."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_descendants(grace: float = 0.0) -> None:
    """Kill every descendant of this process and wait until the kernel says that none is left.

    Parameters
    ----------
    grace
        Seconds in which they may end by themselves.
    """
    patience = time.monotonic() + grace
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if ended:
            continue
        for process in psutil.Process().children(recursive=True) if time.monotonic() >= patience else ():
            with contextlib.suppress(psutil.Error):
                process.kill()
        # Polled: a listing can miss a process that was being born, so no wait may rely on its kills.
        time.sleep(0.005)


def _contain(child_fd: int, life_fd: int, log_fd: int, private: Path) -> None:
    warden = os.getpid()
    child = os.fork()
    if child == 0:
        _be_the_child(child_fd, log_fd, private, warden)
    os.close(child_fd)
    os.close(log_fd)
    with socket.socket(fileno=life_fd) as life:
        _tell(life, {"warden": warden, "child": child, "private": str(private)})
        reaping = threading.Lock()
        threading.Thread(target=_kill_on_hangup, args=(life, child, reaping), daemon=True).start()
        status = _reap(child, reaping)
        end_descendants()
        shutil.rmtree(private, ignore_errors=True)
        _tell(life, {"exit": os.waitstatus_to_exitcode(status)})


def _reap(child: int, reaping: threading.Lock) -> int:
    """Wait for the child; its status. The lock is held for good: its id may be a stranger's from now on."""
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        reaping.acquire()
        return os.waitpid(child, 0)[1]
    status = os.waitpid(child, 0)[1]  # macOS before Python 3.13: a gap of microseconds before the lock
    reaping.acquire()
    return status


def _kill_on_hangup(life: socket.socket, child: int, reaping: threading.Lock) -> None:
    with contextlib.suppress(OSError):
        while life.recv(64):
            pass
    with reaping:
        os.kill(child, signal.SIGKILL)


def _tell(life: socket.socket, fact: dict[str, int | str]) -> None:
    with contextlib.suppress(OSError):
        life.sendall(json.dumps(fact).encode() + b"\n")


def _be_the_child(child_fd: int, log_fd: int, private: Path, warden: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != warden:  # it died before the line above
            os._exit(1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _keep_only(child_fd, log_fd)

        from wslbench.evaluation.child import serve

        serve(socket.socket(fileno=3), private)
        code = 0
    finally:
        # No exit handlers, no waiting for the method's threads.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _keep_only(child_fd: int, log_fd: int) -> None:
    """Leave open: 0 (nothing), 1 and 2 (the log), 3 (the conversation)."""
    conversation = os.dup(child_fd) if child_fd <= 3 else child_fd
    log = os.dup(log_fd) if log_fd <= 3 else log_fd
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(conversation, 3, inheritable=False)
    os.closerange(4, os.sysconf("SC_OPEN_MAX"))
    # The server's own streams may be buffered or closed; the method prints into the log, line by line.
    sys.stdin = os.fdopen(0, closefd=False)
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = os.fdopen(descriptor, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
        setattr(sys, name, stream)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


if __name__ == "__main__":
    contain(*(int(argument) for argument in sys.argv[1:4]))
