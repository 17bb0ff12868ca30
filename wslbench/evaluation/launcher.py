"""Starting units from the parent: by the fork server where there is one, else by a plain new interpreter."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Self

from wslbench.errors import WslbenchError
from wslbench.evaluation import interpreter
from wslbench.evaluation.protocol import Channel, ChannelClosedError
from wslbench.evaluation.sandbox import Sandbox

_START_SECONDS: Final = 300.0  # a cold disk may take minutes over the server's imports
_END_SECONDS: Final = 30.0
_SERVER_END_SECONDS: Final = 5.0


class Ending(NamedTuple):
    """How a child ended: exit code (negative: minus the signal; None where nobody could tell), end of its output."""

    exit_code: int | None
    output: str


class Contained:
    """A running unit: the conversation with its child, and the line to its warden.

    Attributes
    ----------
    warden
        The warden's process, from its start on.
    scratch
        The open scratch folder of a unit in the sandbox.
    """

    def __init__(self, channel: Channel, life: socket.socket, process: subprocess.Popen[bytes] | None) -> None:
        self.channel = channel
        self.warden = 0
        self.scratch: int | None = None
        self._private = ""
        self._life = life
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
            if self._private:  # in the sandbox, it has no folder on this side
                shutil.rmtree(self._private, ignore_errors=True)
        self._life.close()
        if self.scratch is not None:
            os.close(self.scratch)
            self.scratch = None
        if self._process is not None:
            self._process.wait()
        return Ending(None, "") if fact is None else Ending(int(fact["exit"]), str(fact["output"]))

    def wait_for_exit(self) -> Ending:
        """As :meth:`end`, for a child that has hung up: its own exit code is learnt before anything is killed."""
        poll = select.poll()
        poll.register(self._life, select.POLLIN)
        poll.poll(1000)
        return self.end()

    def _next_fact(self, seconds: float) -> dict[str, int | str] | None:
        limit = time.monotonic() + seconds
        while b"\n" not in self._unread:
            self._life.settimeout(max(0.001, limit - time.monotonic()))
            try:
                got, files, _, _ = socket.recv_fds(self._life, 4096, 1)
            except OSError:
                return None
            if not got:
                return None
            if files:
                (self.scratch,) = files
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
    sandbox
        Where units of the tier ``sandbox`` run; None for the tier ``process``.
    """

    def __init__(
        self, preload: Sequence[str] = (), fork: bool = sys.platform == "linux", sandbox: Sandbox | None = None
    ) -> None:
        self.sandbox = sandbox
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._control: Channel | None = None
        if fork:
            ours, theirs = socket.socketpair()
            with theirs:
                self._server = self._python("wslbench.evaluation.server", [theirs.fileno()])
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
        contained = self._start(on_wait, max_array_bytes, self._spawn)
        if not self._has_started(contained, on_wait):
            output = contained.end().output
            raise WslbenchError(
                "A process for the evaluation could not be started, neither from the fork server nor by a new "
                f"interpreter. Free some memory, processes or room in {tempfile.gettempdir()} and try again. "
                f"{output}".strip()
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
        with theirs, warden_life:
            process = launch([theirs.fileno(), warden_life.fileno()])
        return Contained(Channel(ours, on_wait, max_array_bytes), life, process)

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

    def _spawn(self, files: Sequence[int]) -> subprocess.Popen[bytes]:
        return self._python("wslbench.evaluation.containment", files)

    def _python(self, module: str, files: Sequence[int]) -> subprocess.Popen[bytes]:
        line = [sys.executable, "-P", "-m", module, *map(str, files)]
        if self.sandbox is not None:
            line = [*self.sandbox.command_line(), *line, str(self.sandbox.scratch_bytes)]
        return subprocess.Popen(
            line,
            pass_fds=files,
            env=interpreter.environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C goes to the parent, which hangs up
        )
