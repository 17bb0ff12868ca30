"""Starting units from the parent: by the fork server where there is one, else by a plain new interpreter."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import site
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final, NamedTuple, Self

import wslbench
from wslbench.errors import WslbenchError
from wslbench.evaluation.protocol import Channel, ChannelClosedError
from wslbench.evaluation.sealing import sealed_environment

_START_SECONDS: Final = 300.0  # a cold disk may take minutes over the server's imports
_END_SECONDS: Final = 30.0
_SERVER_END_SECONDS: Final = 5.0
_OUTPUT_SHOWN: Final = 2000


class Ending(NamedTuple):
    """How a child ended: exit code (negative: minus the signal; None where nobody could tell), end of its output."""

    exit_code: int | None
    output: str


class Contained:
    """A running unit: the conversation with its child, and the line to its warden."""

    def __init__(
        self, channel: Channel, life: socket.socket, log: IO[bytes], process: subprocess.Popen[bytes] | None
    ) -> None:
        self.channel = channel
        self.warden = 0
        self._private = ""
        self._life = life
        self._log = log
        self._process = process
        self._unread = b""

    def await_start(self, on_wait: Callable[[], None]) -> bool:
        """Wait for the warden's first word; False where none comes."""
        poll = select.poll()
        poll.register(self._life, select.POLLIN)
        limit = time.monotonic() + _START_SECONDS
        while not poll.poll(50) and time.monotonic() < limit:
            on_wait()
        fact = self._next_fact(1.0)
        if fact is None:
            return False
        self.warden, self._private = int(fact["warden"]), str(fact["private"])
        return True

    def end(self) -> Ending:
        """Let the child go, kill it and everything it started if it will not, and wait until all is gone."""
        self.channel.close()
        with contextlib.suppress(OSError):
            self._life.shutdown(socket.SHUT_WR)
        fact = self._next_fact(_END_SECONDS) if self.warden else None
        if fact is None and self.warden:
            # The warden was killed, stopped, or never answers. Its death takes the child along.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.warden, signal.SIGKILL)
            shutil.rmtree(self._private, ignore_errors=True)
        self._life.close()
        if self._process is not None:
            self._process.wait()
        with self._log:
            return Ending(None if fact is None else int(fact["exit"]), self._output())

    def wait_for_exit(self) -> Ending:
        """As :meth:`end`, for a child that has hung up: its own exit code is learnt before anything is killed."""
        poll = select.poll()
        poll.register(self._life, select.POLLIN)
        poll.poll(1000)
        return self.end()

    def _output(self) -> str:
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - _OUTPUT_SHOWN))
        return self._log.read(_OUTPUT_SHOWN).decode("utf-8", errors="replace").strip()

    def _next_fact(self, seconds: float) -> dict[str, int | str] | None:
        limit = time.monotonic() + seconds
        while b"\n" not in self._unread:
            self._life.settimeout(max(0.001, limit - time.monotonic()))
            try:
                got = self._life.recv(256)
            except OSError:
                return None
            if not got:
                return None
            self._unread += got
        line, _, self._unread = self._unread.partition(b"\n")
        fact: dict[str, int | str] = json.loads(line)
        return fact


class Launcher:
    """Starts contained children, until it is closed.

    Parameters
    ----------
    preload
        Modules that the fork server imports.
    fork
        Whether to fork from a preloaded server (Linux) or to start a new interpreter for every unit. A server
        that cannot be reached any more is replaced by plain starts.
    """

    def __init__(self, preload: Sequence[str] = (), fork: bool = sys.platform == "linux") -> None:
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: Channel | None = None
        if fork:
            ours, theirs = socket.socketpair()
            with theirs:
                self._server = _python("wslbench.evaluation.server", [theirs.fileno()])
            self._control = Channel(ours)
            self._control.send("preload", {"modules": list(preload)})

    def start(self, on_wait: Callable[[], None], max_array_bytes: int) -> Contained:
        """Start a child; ``on_wait`` and ``max_array_bytes`` are those of its :class:`Channel`.

        Raises
        ------
        WslbenchError
            If the system does not let a process start.
        """
        if self._control is not None:
            with contextlib.suppress(ChannelClosedError):
                contained = self._start(on_wait, max_array_bytes, self._fork)
                if self._has_started(contained, on_wait):
                    return contained
                contained.end()
            self._hang_up()
        contained = self._start(on_wait, max_array_bytes, _spawn)
        if not self._has_started(contained, on_wait):
            output = contained.end().output
            raise WslbenchError(
                "A process for the evaluation could not be started, neither from the fork server nor by a new "
                f"interpreter. Free some memory or processes and try again. {output}".strip()
            )
        return contained

    def _has_started(self, contained: Contained, on_wait: Callable[[], None]) -> bool:
        try:
            return contained.await_start(on_wait)
        except BaseException:
            contained.end()
            raise

    def close(self) -> None:
        """End the server and everything that still runs under it."""
        self._hang_up()
        if self._server is not None:
            try:
                self._server.wait(_SERVER_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(
        self,
        on_wait: Callable[[], None],
        max_array_bytes: int,
        launch: Callable[[Sequence[int]], subprocess.Popen[bytes] | None],
    ) -> Contained:
        ours, theirs = socket.socketpair()
        life, warden_life = socket.socketpair()
        log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the unit
        with theirs, warden_life:
            process = launch([theirs.fileno(), warden_life.fileno(), log.fileno()])
        return Contained(Channel(ours, on_wait, max_array_bytes), life, log, process)

    def _hang_up(self) -> None:
        with self._lock:
            if self._control is not None:
                self._control.close()
                self._control = None

    def _fork(self, files: Sequence[int]) -> None:
        with self._lock:
            if self._control is None:
                raise ChannelClosedError
            self._control.send("start", files=files)


def _spawn(files: Sequence[int]) -> subprocess.Popen[bytes]:
    return _python("wslbench.evaluation.containment", files)


def _python(module: str, files: Sequence[int]) -> subprocess.Popen[bytes]:
    environment = sealed_environment(os.environ)
    paths = [str(Path(path).resolve()) for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    root = str(Path(wslbench.__file__).resolve().parents[1])
    if root not in {*site.getsitepackages(), site.getusersitepackages()}:
        paths.insert(0, root)  # a checkout that is on sys.path by other means than an install
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *map(str, files)],
        pass_fds=files,
        env=environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C goes to the parent, which hangs up
    )
