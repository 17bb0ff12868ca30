"""The sandbox of one evaluation: what its processes can read, and what they cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wslbench.bundled import BundledName, bundled_path, embedded_zoos_path
from wslbench.evaluation import bubblewrap, interpreter
from wslbench.evaluation.method_file import MethodFile
from wslbench.evaluation.sealing import bundled_data

# Of any wslbench that is in sight: others may be installed beside this one, for the system or in other environments.
_PACKAGES: Final = (".", "lib/python3*/*-packages", "envs/*/lib/python3*/site-packages")
_SHIPPED: Final[tuple[BundledName, ...]] = ("tasks.yaml", "results", "verified", "comparators")
_ANSWERS: Final = ("zoos", *(f"_bundled/{name}" for name in _SHIPPED))
_SYSTEM: Final = (Path("/usr"), Path("/usr/local"))


@dataclass(frozen=True)
class Sandbox:
    """Where the units of one evaluation run.

    Attributes
    ----------
    readable
        What they may read besides the system.
    masked
        What looks empty to them in there.
    scratch_bytes
        What the scratch folder of a unit holds: memory, which counts.
    """

    readable: tuple[Path, ...]
    masked: tuple[Path, ...]
    scratch_bytes: int

    def command_line(self) -> list[str]:
        """What stands before the command of a process that starts units."""
        return bubblewrap.command_line(self.readable, self.masked, trusted=True)


def sandbox_for(
    method: MethodFile, scratch_bytes: int, answers: Iterable[Path] = (), may_see_data: bool = False
) -> Sandbox:
    """The sandbox in which a method is evaluated.

    It sees Python, the libraries, this package and its own source files (those that its hash covers: what lies beside
    them is not part of the method), without zoos, tasks, splits, results and comparators.

    Parameters
    ----------
    answers
        More that must not be seen: zoos of one's own, the folder that results go to.
    may_see_data
        Whether the data sets that come with libraries stay visible.
    """
    sources = [method.path.parent / name for name, _ in method.sources]
    libraries = interpreter.paths()
    masked = [*_shipped_answers(libraries), *answers]
    if not may_see_data:
        masked += map(Path, bundled_data())
    return Sandbox((*libraries, *sources), tuple(masked), scratch_bytes)


def _shipped_answers(libraries: Iterable[Path]) -> Iterator[Path]:
    yield embedded_zoos_path()
    for name in _SHIPPED:
        yield bundled_path(name)
    # Of a checkout, whose history holds all that ever stood in it; it is in sight if a folder around it is.
    yield bundled_path("tasks.yaml").parent / ".git"
    for library in (*libraries, *_SYSTEM):
        for packages in _PACKAGES:
            for answers in _ANSWERS:
                yield from library.glob(f"{packages}/wslbench/{answers}")
