"""Two folders change places at one stroke, so that whoever looks finds the one or the other."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h
_RENAME_SWAP = 2  # sys/stdio.h of macOS


def exchange(one: Path, other: Path) -> bool:
    """Let two paths of one file system change places; False where the system or the file system cannot, or one lacks.

    ``renameat2(2)`` with ``RENAME_EXCHANGE`` on Linux, ``renamex_np(2)`` with ``RENAME_SWAP`` on macOS; Python has
    neither.
    """
    first, second = os.fsencode(one), os.fsencode(other)
    library = ctypes.CDLL(None)
    try:
        if sys.platform == "darwin":
            return bool(library.renamex_np(first, second, ctypes.c_uint(_RENAME_SWAP)) == 0)
        return bool(library.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, ctypes.c_uint(_RENAME_EXCHANGE)) == 0)
    except AttributeError:  # a C library without the call
        return False
