"""The tricks, and the verdict that each tier is expected to give: what the tiers promise, in a table.

``succeeds``: the trick reaches its aim. ``in vain``: the unit runs, and the trick does not reach it. Else the kind of
the failure that the unit ends with, which is a result that everybody can read.

In the tier ``process``, an honour system, many succeed, and the table says so. In ``sandbox``, what is left to the tier
``verified`` is a method that carries the answers in its source: the zoos are public. There it is asked about networks
that were grown again, within the same walls. What passes there as well is known of cells, not of networks.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import wslbench

if TYPE_CHECKING:
    from tests.redteam.conftest import World

Aim = Callable[["World"], bool]

SUCCEEDS: Final = "succeeds"
IN_VAIN: Final = "in vain"
SECRET: Final = b"the labels of the test models"  # in the evaluator's memory


@dataclass(frozen=True)
class Trick:
    """A trick: the method ``tricks/NAME.py``.

    Attributes
    ----------
    aim
        Whether it was reached.
    process, sandbox, verified
        The verdicts.
    task
        What is asked of the tiny zoo.
    needs
        What the machine must have for it to be tried: ``ptrace``, ``keyrings``, ``history``.
    folds
        How many folds are run, one after the other; the aim is about the last.
    carries_a_table
        Whether its source carries a table of the public labels by its own ``key``.
    survives_permutation
        Whether the test models are asked for in disguise as well.
    """

    name: str
    aim: Aim
    process: str
    sandbox: str
    verified: str
    task: str = "test-accuracy"
    needs: str = ""
    folds: int = 1
    carries_a_table: bool = False
    survives_permutation: bool = False
    seconds: float = 60.0
    memory_bytes: int = 4 * 2**30

    def verdict(self, world: World) -> str:
        """What became of it."""
        failure = world.results[-1].failure
        return SUCCEEDS if self.aim(world) else IN_VAIN if failure is None else failure.kind


def _labels(world: World) -> bool:
    return world.labels_were_predicted()


def is_scored(world: World) -> bool:
    """The record shows a score that nothing but knowing the labels, or having changed the judge, can explain."""
    score = world.headline()
    return score is not None and score > 0.9


def _content_of(name: str) -> Aim:
    return lambda world: world.content_was_predicted(name)


def _secret_of_the_evaluator(world: World) -> bool:
    return world.was_predicted(zlib.crc32(SECRET + b"\0"))


def _rows_of_the_zoo(world: World) -> bool:
    return world.was_predicted(len(wslbench.load_zoo(str(world.known["embedded_zoo"])).table))


def _unharmed(world: World) -> bool:
    """The unit ended well although it should not have."""
    return world.results[-1].failure is None


def _unguarded(world: World) -> bool:
    """Nobody kept the unit to its limit, or ended what it had started."""
    return world.is_running() or world.seconds > world.run.limits.seconds


def _lied_about_time(world: World) -> bool:
    seconds = world.results[-1].fit_seconds
    return seconds is not None and seconds < 0.25


def _is_the_tricks(name: str) -> Aim:
    def holds(world: World) -> bool:
        path = Path(str(world.known[name]))
        return path.exists() and path.read_bytes() == b"mine"

    return holds


def _ran_code(world: World) -> bool:
    return Path(str(world.known["result_file"])).exists()


def _long_output(world: World) -> bool:
    failure = world.results[-1].failure
    return failure is None or len(failure.output) > 2000


_MIB: Final = 2**20
_SMALL: Final = 400 * _MIB

TRICKS: Final = (
    # Looking answers up
    Trick("load_zoo", _rows_of_the_zoo, IN_VAIN, IN_VAIN, IN_VAIN),
    Trick("open_package_file", _content_of("embedded"), IN_VAIN, IN_VAIN, IN_VAIN),
    Trick("cat_package_file", _content_of("embedded"), SUCCEEDS, IN_VAIN, IN_VAIN),
    Trick("read_by_c", _content_of("embedded"), SUCCEEDS, IN_VAIN, IN_VAIN),
    Trick("cat_results", _content_of("results"), SUCCEEDS, IN_VAIN, IN_VAIN),
    Trick("cat_history", _content_of("history"), SUCCEEDS, IN_VAIN, IN_VAIN, needs="history"),
    Trick("cat_data_set", _content_of("data"), SUCCEEDS, IN_VAIN, IN_VAIN),
    Trick("parent_memory", _secret_of_the_evaluator, SUCCEEDS, IN_VAIN, IN_VAIN, needs="ptrace"),
    # One fold telling the next
    Trick("earlier_fold_globals", _labels, IN_VAIN, IN_VAIN, IN_VAIN, folds=2),
    Trick("earlier_fold_files", _labels, IN_VAIN, IN_VAIN, IN_VAIN, folds=2),
    Trick("earlier_fold_files_by_program", _labels, SUCCEEDS, IN_VAIN, IN_VAIN, folds=2),
    Trick("earlier_fold_shared_memory", _labels, SUCCEEDS, IN_VAIN, IN_VAIN, folds=2),
    Trick("earlier_fold_system_v", _labels, SUCCEEDS, IN_VAIN, IN_VAIN, folds=2),
    Trick("earlier_fold_keyring", _labels, SUCCEEDS, IN_VAIN, IN_VAIN, folds=2, needs="keyrings"),
    Trick("earlier_fold_daemon", _labels, IN_VAIN, IN_VAIN, IN_VAIN, folds=2),
    # Having memorised the zoo. The audit's disguise finds out the first, and not the second.
    Trick("table_of_hashes", _labels, SUCCEEDS, SUCCEEDS, IN_VAIN, carries_a_table=True),
    Trick(
        "table_of_sketches", _labels, SUCCEEDS, SUCCEEDS, IN_VAIN, carries_a_table=True, survives_permutation=True,
    ),
    # Having memorised its cells. No wall is in the way, and networks grown again stand in the same cells.
    Trick("table_of_cells", _labels, SUCCEEDS, SUCCEEDS, SUCCEEDS, task="phase", carries_a_table=True),
    # Changing the judge
    Trick("patched_metrics", is_scored, IN_VAIN, IN_VAIN, IN_VAIN, task="test-accuracy@new-load", folds=2),
    Trick("patched_timers", _lied_about_time, SUCCEEDS, IN_VAIN, IN_VAIN),
    Trick("forged_output", is_scored, IN_VAIN, IN_VAIN, IN_VAIN, task="test-accuracy@new-load", folds=2),
    Trick("forged_answer", _unharmed, "crashed", "crashed", "crashed"),
    Trick("executable_answer", _ran_code, "wrong_shape", "wrong_shape", "wrong_shape"),
    Trick("write_results", _is_the_tricks("result_file"), SUCCEEDS, IN_VAIN, IN_VAIN),
    Trick("write_over_the_zoo", _is_the_tricks("label_file"), SUCCEEDS, IN_VAIN, IN_VAIN),
    # Its unit has crashed, which is its result; what it left ends with the evaluation, as the fork server adopts it.
    Trick("kill_the_warden", _unguarded, SUCCEEDS, IN_VAIN, IN_VAIN, seconds=30.0),
    # Predicting what nobody asked for
    Trick("nan_on_purpose", _unharmed, "not_finite", "not_finite", "not_finite"),
    Trick("company", _unharmed, "chunk_dependent", "chunk_dependent", "chunk_dependent"),
    Trick("order", _unharmed, "chunk_dependent", "chunk_dependent", "chunk_dependent"),
    # Using more than there is
    Trick("child_that_stays", lambda world: world.is_running(), IN_VAIN, IN_VAIN, IN_VAIN),
    Trick("network_call", lambda world: world.was_called(), SUCCEEDS, IN_VAIN, IN_VAIN),
    Trick("gigabytes_of_output", _long_output, "fit_error", "fit_error", "fit_error"),
    Trick("deaf_sleeper", _unharmed, "timeout", "timeout", "timeout", seconds=1.0),
    Trick("memory_growth", _unharmed, "out_of_memory", "out_of_memory", "out_of_memory", memory_bytes=_SMALL),
    Trick(
        "memory_growth_in_children", _unharmed, "out_of_memory", "out_of_memory", "out_of_memory",
        memory_bytes=_SMALL,
    ),
    Trick("memory_growth_shared", _unharmed, SUCCEEDS, "out_of_memory", "out_of_memory", memory_bytes=_SMALL),
    Trick("memory_growth_in_files", _unharmed, SUCCEEDS, "out_of_memory", "out_of_memory", memory_bytes=_SMALL),
    Trick("many_processes", _unharmed, SUCCEEDS, "crashed", "crashed"),
)  # fmt: skip
