"""Processes that die just before the n-th change that they make in a folder: every moment of a call can be met.

A moment of the clock mostly falls into minutes of computing; what a killed call leaves half-done lies between two
changes of files. They are counted by an audit hook, which Python calls before it makes, opens for writing, renames or
removes a file. (What compiled libraries write between opening and closing a file, it does not see.)
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_ONE_PATH = {"os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate"}
_TWO_PATHS = {"os.rename", "os.link"}
LONGEST = 120.0


def changes(act: Callable[[], object], folder: Path, fatal: int | None = None) -> list[str]:
    """Call ``act`` in a process of its own that is killed just before its ``fatal``-th change in ``folder``, if any.

    Returns
    -------
    The changes that it made, or would have made next: what, and the path inside of the folder. If it was killed there
    are ``fatal``; else ``act`` came to its end.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _live(act, folder.resolve(), fatal, writing)
    os.close(writing)
    log = _read(reading, child)
    _, status = os.waitpid(child, 0)
    made = log.splitlines()
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert len(made) == fatal, "it was not killed by its own hand"
    else:
        assert os.WEXITSTATUS(status) == 0, "the call failed; what it printed says why"
    return made


def _live(act: Callable[[], object], folder: Path, fatal: int | None, log: int) -> None:
    status = 1
    try:
        os.setsid()
        torch.set_num_threads(1)  # a fork has none of its parent's threads, and waits for them for ever
        _watch(folder, fatal, log)
        act()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _watch(folder: Path, fatal: int | None, log: int) -> None:
    made = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal made
        path = _changed(event, arguments)
        if path is None or not path.is_relative_to(folder):
            return
        made += 1
        os.write(log, f"{event} {path.relative_to(folder)}\n".encode())
        if made == fatal:
            os.killpg(0, signal.SIGKILL)

    sys.addaudithook(hook)


def _changed(event: str, arguments: tuple[object, ...]) -> Path | None:
    """The path that is about to change."""
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, int) or not isinstance(flags, int) or not flags & _WRITING:
            return None
        return _absolute(path, -1)
    if event in _ONE_PATH and not isinstance(arguments[0], int):
        return _absolute(arguments[0], arguments[-1])
    if event in _TWO_PATHS:
        return _absolute(arguments[1], arguments[-1])
    return None


def _absolute(path: object, folder: object) -> Path:
    text = os.fsdecode(path)  # type: ignore[type-var]
    if isinstance(folder, int) and folder >= 0:
        text = str(Path(f"/proc/self/fd/{folder}").readlink() / text)
    return Path(os.path.abspath(text))  # noqa: PTH100 - resolve() would follow a link that is about to be replaced


def _read(pipe: int, child: int) -> str:
    """All that is written into the pipe until the last writer is gone."""
    deadline = time.monotonic() + LONGEST
    os.set_blocking(pipe, False)
    text = b""
    while True:
        try:
            part = os.read(pipe, 1 << 16)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            time.sleep(0.005)
            continue
        if not part:
            break
        text += part
    os.close(pipe)
    return text.decode()
