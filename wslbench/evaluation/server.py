"""The fork server: a process that has imported what methods need, and has seen neither labels nor methods.

Starting a unit from it costs a fork instead of seconds of imports. It knows no task and no zoo. Run as
``python -m wslbench.evaluation.server FD [SCRATCH_BYTES]``; over the socket FD come the modules to preload, then one
message a unit with two open files: the child's conversation and the warden's line. With SCRATCH_BYTES, it stands behind
the wall of the sandbox (:mod:`wslbench.evaluation.bubblewrap`), and so do its units.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import io
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from wslbench.evaluation.containment import adopt_orphans, contain, end_descendants
from wslbench.evaluation.namespaces import SCRATCH
from wslbench.evaluation.protocol import Channel, ChannelClosedError, close_files

_CUDA_NOT_INITIALIZED: Final = 3
_GRACE_SECONDS: Final = 3.0  # wardens hear the parent's end as well, and tidy up

# What every child needs, whatever the method imports.
_ALWAYS: Final = (
    "numpy",
    "wslbench.evaluation.child",
    "wslbench.architectures",
    "wslbench.zoo.bundle",
    "wslbench.zoo.seal",
    "wslbench.typing",
)


def preload(modules: Iterable[str]) -> bool:
    """Import modules, ignoring those that are not there: the method will say so itself.

    Returns
    -------
    Whether none failed half-way. What such an import leaves behind would keep the method, too, from importing it.
    """
    for module in modules:
        try:
            # Whatever an import prints would land in the user's terminal.
            with contextlib.redirect_stdout(io.StringIO()):
                importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
                return False
        except Exception:
            return False
    return True


@contextlib.contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Meanwhile, temporary files are written there: some libraries want to while they are imported."""
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["TMPDIR"]
        tempfile.tempdir = None  # it has been looked up


def cuda_in_use() -> bool:
    """Whether this process has begun to use CUDA, which no process that is forked from it could use any more.

    CUDA Driver API: every call fails with ``CUDA_ERROR_NOT_INITIALIZED`` before ``cuInit``.
    """
    maps = Path("/proc/self/maps")
    if not maps.exists() or "libcuda.so" not in maps.read_text():
        return False
    return bool(ctypes.CDLL("libcuda.so.1").cuDeviceGetCount(ctypes.byref(ctypes.c_int())) != _CUDA_NOT_INITIALIZED)


def serve(channel: Channel, scratch_bytes: int | None = None) -> None:
    """Fork a warden for every message until the parent hangs up, then leave no process behind.

    Where an import has begun to use CUDA, or has failed half-way, the server ends, and units are started without it.

    Parameters
    ----------
    scratch_bytes
        What each unit's scratch folder holds, in the sandbox.
    """
    if scratch_bytes is None:
        adopt_orphans()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # wardens report to the parent; the kernel reaps them
    try:
        modules = (*_ALWAYS, *channel.receive().payload["modules"])
        with contextlib.nullcontext() if scratch_bytes is None else _temporary_files_in(SCRATCH):
            whole = preload(modules)
        if not whole or cuda_in_use():
            return
        gc.collect()
        gc.freeze()  # a collection in a child would copy every page that is shared with this process
        while True:
            child, life = files = channel.receive(with_files=True).files
            if os.fork() == 0:
                channel.close()
                contain(child, life, scratch_bytes)
            close_files(files)
    except ChannelClosedError:
        pass
    finally:
        # Behind the wall, all processes end with this one.
        if scratch_bytes is None:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            end_descendants(_GRACE_SECONDS)


if __name__ == "__main__":
    serve(Channel(socket.socket(fileno=int(sys.argv[1]))), *map(int, sys.argv[2:]))
