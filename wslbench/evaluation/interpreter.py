"""The Python interpreters that run units: how they are called, with which environment, and what they have to read."""

from __future__ import annotations

import functools
import json
import os
import site
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import wslbench
from wslbench.evaluation.sealing import sealed_environment

_ASK = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, *sys.path]))"


def environment() -> dict[str, str]:
    """The sealed environment, in which this wslbench is found."""
    sealed = sealed_environment(os.environ)
    paths = [str(Path(path).resolve()) for path in sealed.get("PYTHONPATH", "").split(os.pathsep) if path]
    root = str(_root())
    if root not in {*site.getsitepackages(), site.getusersitepackages()}:
        paths.insert(0, root)  # a checkout that is on sys.path by other means than an install
    return sealed | {"PYTHONPATH": os.pathsep.join(paths)}


@functools.cache
def paths() -> tuple[Path, ...]:
    """The files and folders that an interpreter with this environment reads, this wslbench's package among them.

    Of a checkout it is the package alone: tasks, results and history lie beside it.
    """
    sealed = environment()
    told = subprocess.run([sys.executable, "-P", "-c", _ASK], capture_output=True, text=True, env=sealed, check=True)
    found = [Path(path) for path in (*json.loads(told.stdout), *sealed.get("LD_LIBRARY_PATH", "").split(os.pathsep))]
    found += _links(Path(sys.executable))
    root = _root()
    if (root / "pyproject.toml").is_file():  # by which a checkout is told from an install
        found = [path for path in found if path.resolve() != root]
        found += [root / "wslbench", root / "pyproject.toml"]
    return tuple(path for path in dict.fromkeys(found) if path.is_absolute() and path.exists())


def _links(path: Path) -> Iterator[Path]:
    """A program, and what stands between its name and the file: an environment made from another leads through it."""
    yield path
    while path.is_symlink():
        path = path.parent / path.readlink()
        yield path


def _root() -> Path:
    return Path(wslbench.__file__).resolve().parents[1]
