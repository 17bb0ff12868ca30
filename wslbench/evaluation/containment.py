"""The warden: a small process around each unit that leaves nothing behind, whatever the method does.

parent ── warden ── child (runs the method) ── anything that the method starts

The warden runs neither user code nor sees any data. It kills everything when the child has ended, and when the parent
hangs up: on purpose (a limit, Ctrl-C) or because it was killed itself. It keeps the end of what the method prints, so
that gigabytes of output fill neither a disk nor memory. Where the child lives is a matter of the isolation tier:

* ``process``: in a private folder, which the warden makes and removes. On Linux it adopts orphans of its descendants,
  so that "no process is left" is something that the kernel answers.
* ``sandbox``: in namespaces of its own (:mod:`wslbench.evaluation.namespaces`), where a process 1 stands between warden
  and child. Folder and processes go with them; there is nothing to be removed.

Run as ``python -m wslbench.evaluation.containment CHILD LIFE [SCRATCH_BYTES]`` (file descriptors) it is the plain-spawn
way to start a unit; the fork server calls :func:`contain` in a forked process.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

import psutil

from wslbench.evaluation import namespaces
from wslbench.evaluation.protocol import close_files

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
PRIVATE_PREFIX: Final = "wslbench-unit-"
_OUTPUT_KEPT: Final = 2000
_OUTPUT_SECONDS: Final = 1.0


def contain(child_fd: int, life_fd: int, scratch_bytes: int | None = None) -> NoReturn:
    """Be the warden of one unit, then leave this process.

    Parameters
    ----------
    child_fd
        Socket of the child's conversation with the parent.
    life_fd
        Socket on which the warden tells the parent who it is and where the child lives, and at the end, when all is
        gone, how the child ended and what it printed last: a line of JSON each. With the first comes the open scratch
        folder, in the sandbox. An end of file from the parent means: kill.
    scratch_bytes
        What the scratch folder of the sandbox holds; None outside of it. The caller stands behind the wall of
        :mod:`wslbench.evaluation.bubblewrap` already.
    """
    code = 1
    try:
        _contain(child_fd, life_fd, _Folder() if scratch_bytes is None else _Namespaces(scratch_bytes))
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


class _Folder:
    """Where a child of the tier ``process`` lives: in a private folder, among all processes of the machine."""

    def __init__(self) -> None:
        adopt_orphans()
        self.private = Path(tempfile.mkdtemp(prefix=PRIVATE_PREFIX))
        self.facts: dict[str, int | str] = {"warden": os.getpid(), "private": str(self.private)}
        self.open_folders: list[int] = []
        self.parent_of_child = os.getpid()

    def enter(self) -> None:
        """Nothing is left to be done by the child."""

    def clear(self, code: int) -> int:
        """Leave nothing of it, and say how the child ended, whose process had this exit code."""
        end_descendants()
        shutil.rmtree(self.private, ignore_errors=True)
        return code


class _Namespaces:
    """Where a child of the tier ``sandbox`` lives."""

    def __init__(self, scratch_bytes: int) -> None:
        # This /proc is still the parent's own, and shows this process under the number that the parent knows it by.
        self.facts: dict[str, int | str] = {"warden": int(str(Path("/proc/self").readlink())), "private": ""}
        self._warden = os.pidfd_open(os.getpid())
        self.open_folders = [namespaces.leave(scratch_bytes)]
        self.private = namespaces.SCRATCH
        self.parent_of_child = 1

    def enter(self) -> None:
        """Be process 1 until the child has ended, and return in the child."""
        namespaces.settle(self._warden)

    def clear(self, code: int) -> int:
        """The kernel has left nothing of it."""
        return namespaces.exit_code(code)


def _contain(child_fd: int, life_fd: int, house: _Folder | _Namespaces) -> None:
    output, log_fd = os.pipe()
    deaths = _Deaths()
    child = os.fork()
    if child == 0:
        deaths.forget()
        os.close(life_fd)
        house.enter()
        _be_the_child(child_fd, log_fd, house.private, house.parent_of_child)
    os.close(child_fd)
    os.close(log_fd)
    tail = _Tail(output)
    with socket.socket(fileno=life_fd) as life:
        _tell(life, house.facts, house.open_folders)
        close_files(house.open_folders)
        code = house.clear(_wait(child, deaths, life, tail))
        tail.read_to_the_end()
        _tell(life, {"exit": code, "output": tail.text()})


def _wait(child: int, deaths: _Deaths, life: socket.socket, tail: _Tail) -> int:
    """The child's exit code, once it has ended; it is killed when the parent hangs up.

    One thread does it all: behind the wall of the sandbox there can be no other, and a process id that is killed here
    cannot be a stranger's, as nobody else reaps the child.
    """
    poll = select.poll()
    for file in (deaths, life, tail):
        poll.register(file, select.POLLIN)
    while True:
        for file_number, _ in poll.poll():
            if file_number == deaths.fileno():
                deaths.read()
            elif file_number == tail.fileno():
                if not tail.read():
                    poll.unregister(tail)
            elif _has_hung_up(life):
                poll.unregister(life)
                os.kill(child, signal.SIGKILL)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)


def _has_hung_up(life: socket.socket) -> bool:
    try:
        return not life.recv(64)
    except OSError:
        return True


class _Deaths:
    """A file that can be read when a child has died."""

    def __init__(self) -> None:
        self._reader, writer = os.pipe()
        for end in (self._reader, writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only signals with a handler wake

    def fileno(self) -> int:
        return self._reader

    def read(self) -> None:
        """Wait for the next one."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 2**12)

    def forget(self) -> None:
        """In a forked process: its children's deaths are its own affair."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)


class _Tail:
    """The end of what is written into a pipe; all before it is read and forgotten."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._kept = b""

    def fileno(self) -> int:
        return self._pipe

    def read(self) -> bool:
        """Read what is there; False where nobody is left who could write more."""
        read = os.read(self._pipe, 2**16)
        self._kept = (self._kept + read)[-_OUTPUT_KEPT:]
        return bool(read)

    def read_to_the_end(self) -> None:
        """Read what is left; not for ever, as a process that could not be killed may hold the other end."""
        poll = select.poll()
        poll.register(self, select.POLLIN)
        limit = time.monotonic() + _OUTPUT_SECONDS
        while poll.poll(max(0.0, limit - time.monotonic()) * 1000) and self.read():
            pass

    def text(self) -> str:
        """The end of what was written."""
        return self._kept.decode("utf-8", errors="replace").strip()


def _tell(life: socket.socket, fact: Mapping[str, int | str], files: Sequence[int] = ()) -> None:
    line = json.dumps(fact).encode() + b"\n"
    with contextlib.suppress(OSError):
        if files:
            socket.send_fds(life, [line], list(files))  # so short a line is sent whole
        else:
            life.sendall(line)


def _be_the_child(child_fd: int, log_fd: int, private: Path, parent: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
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
    contain(*(int(argument) for argument in sys.argv[1:]))
