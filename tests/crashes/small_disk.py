"""Commands on a disk that is too small for them: a file system in memory, in a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import torch

from wslbench.cli import main

_CLONE_NEWNS = 0x00020000
_MS_REMOUNT, _MS_REC, _MS_PRIVATE = 32, 16384, 1 << 18


class Said(NamedTuple):
    """How a command ended, and what it printed."""

    status: int
    text: str


class SmallDisk:
    """The disk, from inside: nobody else sees it, and it ends with the process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._library = ctypes.CDLL(None, use_errno=True)

    def mount(self, size: int) -> None:
        """Have a disk of so many bytes at the folder."""
        self._call("unshare", _CLONE_NEWNS)
        self._call("mount", b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None)
        self._mount(0, size)

    def resize(self, size: int) -> None:
        """Have as many bytes on it."""
        self._mount(_MS_REMOUNT, size)

    def _mount(self, flags: int, size: int) -> None:
        self._call("mount", b"tmpfs", os.fsencode(self.folder), b"tmpfs", ctypes.c_ulong(flags), b"size=%d" % size)

    def _call(self, name: str, *arguments: object) -> None:
        if getattr(self._library, name)(*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def with_disk(folder: Path, size: int, act: Callable[[SmallDisk], Any]) -> Any:
    """What ``act`` answers, as JSON has it, called in a process that has a small disk at ``folder``.

    Raises
    ------
    PermissionError
        If this user may not mount one.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(SmallDisk(folder), size, act, writing)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0, "the process failed; what it printed says why"
    if answer == "":
        raise PermissionError
    return json.loads(answer)


def _answer(disk: SmallDisk, size: int, act: Callable[[SmallDisk], Any], pipe: int) -> None:
    status = 1
    try:
        torch.set_num_threads(1)  # a fork has none of its parent's threads, and waits for them for ever
        try:
            disk.mount(size)
        except OSError:
            os._exit(0)
        os.write(pipe, json.dumps(act(disk)).encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def command(*arguments: object) -> Said:
    """Call the command line; what it does not catch is raised here."""
    line: Sequence[str] = ["wslbench", *map(str, arguments)]
    with mock.patch.object(sys, "argv", line), contextlib.ExitStack() as stack:
        text = io.StringIO()
        stack.enter_context(contextlib.redirect_stdout(text))
        stack.enter_context(contextlib.redirect_stderr(text))
        try:
            main()
        except SystemExit as end:
            return Said(int(end.code or 0), text.getvalue())
    return Said(0, text.getvalue())
