"""What a child does to itself before it touches a method: an empty place to live, and refusals.

What this is worth is written down in :mod:`wslbench.evaluation.tier`.
"""

from __future__ import annotations

import importlib.util
import os
import random
import resource
import site
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from wslbench.bundled import bundled_path, embedded_zoos_path
from wslbench.errors import SealedError

# One thread a process: two such processes beat one of two threads, and results do not depend on --jobs.
_ONE_THREAD: Final = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
# glibc otherwise maps every large array anew, and a fifth of a small network's training goes into page faults.
_KEPT_MEMORY: Final = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
_PASSED_ON: Final = (
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "CUDA_HOME",
    "CUDA_VISIBLE_DEVICES",
    "TMPDIR",  # replaced by the private one in the child
    "PYTHONPATH",
)
_WRITE_FLAGS: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_DEVICES: Final = ("/dev/", "/proc/")


class SealedFileError(SealedError, PermissionError):
    """A file outside the private folders; libraries that expect a read-only disk cope with it."""

    def __str__(self) -> str:
        return str(self.args[0])


def sealed_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Environment of the processes that run methods: a short list of names, and nothing else."""
    passed = {name: environ[name] for name in _PASSED_ON if name in environ}
    return {
        **passed,
        **dict.fromkeys(_ONE_THREAD, "1"),
        "PYTHONUSERBASE": site.getuserbase(),  # else packages under the user's real home would not be found
        "HOME": "/nonexistent",  # what a library caches while it is being preloaded goes nowhere
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        **_KEPT_MEMORY,
        "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # to ask whether there is a GPU must not spoil CUDA for forked processes
    }


def move_in(private: Path) -> None:
    """Give this process an empty HOME, TMPDIR and working directory of its own, and no core dumps."""
    for name, folder in (("HOME", "home"), ("TMPDIR", "tmp")):
        (private / folder).mkdir()
        os.environ[name] = str(private / folder)
    (private / "work").mkdir()
    os.chdir(private / "work")
    tempfile.tempdir = None  # it may have been looked up before the fork
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def seal_files(private: Path) -> Callable[[], None]:
    """From now on, Python code here neither writes outside ``private`` nor reads embedded zoos, results and data sets.

    Returns
    -------
    What has to be called for the data sets to be readable again: for generators of the track *with data*.
    """
    homes = tuple(_folder(path) for path in (private, private.resolve()))
    answers = embedded_zoos_path(), bundled_path("results"), bundled_path("verified")
    hidden = tuple(_folder(path.resolve()) for path in answers)
    data = bundled_data()

    def allow_data() -> None:
        nonlocal data
        data = ()

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = bool((flags or 0) & _WRITE_FLAGS) or (isinstance(mode, str) and not set(mode).isdisjoint("wax+"))
        elif event in ("os.rename", "os.link", "os.symlink"):
            path, writes = arguments[1], True
        elif event == "os.mkdir":
            path, writes = arguments[0], True
        else:
            return
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # an open file descriptor
        real = os.path.realpath(os.fsdecode(path))
        if writes and not real.startswith((*homes, *_DEVICES)):
            raise SealedFileError(
                f"a method may not write {real}: it writes into its working directory, HOME or TMPDIR, which are "
                "empty at the start of every fold and removed at its end"
            )
        # The seal of load_zoo compares hashes, which manifests consist of; they tell nothing else.
        if real.startswith(hidden) and not real.endswith("/manifest.json"):
            raise SealedFileError(f"a method may not read {real} while it is evaluated")
        if data and real.startswith(data):
            raise SealedFileError(
                f"a method may not read {real}: it learns from weights, never from the data that networks were trained "
                'on. A generator that does declares the track with data, by `privilege = "data"`'
            )

    sys.addaudithook(refuse)
    return allow_data


def bundled_data() -> tuple[str, ...]:
    """Folders of data sets that lie on every machine: those that come with scikit-learn."""
    spec = importlib.util.find_spec("sklearn")
    found = [] if spec is None else list(spec.submodule_search_locations or ())
    return tuple(_folder((Path(place) / "datasets" / "data").resolve()) for place in found)


def seed_everything(seed: int) -> None:
    """Seed the global generators of random, numpy and (where it is loaded) torch."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - the global one is the one that methods forget to seed
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def _folder(path: Path) -> str:
    return f"{path}{os.sep}"
