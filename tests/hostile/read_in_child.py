"""A process that reads hostile files, one after the other, and tells how each reader answered.

Started afresh, never forked: threads of other libraries would not survive that. On its standard input stands a JSON
list of ``[reader, folder]``; on its standard output comes a JSON object a line, as soon as it is known.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from wslbench.architectures import Architecture
from wslbench.errors import ZooDamagedError
from wslbench.evaluation.predictions import read_predictions
from wslbench.evaluation.result_files import read_record
from wslbench.interop import ImportOptions, import_zoo
from wslbench.interop.tensors import read_tensors
from wslbench.population.recipe_file import load_recipe
from wslbench.tasks import load_tasks
from wslbench.zoo import load_zoo, verify

PATIENCE = 20.0  # seconds of wall clock, after which a reader waits for something that never comes
ROOM = 4 * 2**30  # bytes of address space beyond what the libraries have mapped


class StillReading(BaseException):
    """The alarm. No ``Exception``: a reader would take it for damage of its file, and its wait for an answer."""


def read_zoo(folder: Path) -> None:
    """Everything that a zoo holds, as ``wslbench zoo verify`` reads it."""
    zoo = load_zoo(folder)
    problems = verify(zoo)
    assert len(zoo.models()) == len(zoo.table)
    if problems:
        raise ZooDamagedError("; ".join(problems))


def read_state_dict(folder: Path) -> None:
    """The one file in the folder."""
    (file,) = folder.iterdir()
    read_tensors(file)


def bring_in(folder: Path) -> None:
    """Import the folder as a zoo."""
    architecture = Architecture(builder="mlp", arguments={"in_features": 2, "hidden": [2], "out_features": 2})
    options = ImportOptions("foreign", architecture, "load", "temperature", "none", 10)
    import_zoo(folder, "state-dicts", folder.parent / "destination", options)


def bring_in_as(layout: str) -> Callable[[Path], object]:
    """Import the folder as a zoo of another layout, whose files say everything themselves."""
    options = ImportOptions("foreign", None, None, None, "none", 10)
    return lambda folder: import_zoo(folder, layout, folder.parent / "destination", options)


READERS: dict[str, Callable[[Path], object]] = {
    "zoo": read_zoo,
    "state dict": read_state_dict,
    "import": bring_in,
    **{layout: bring_in_as(layout) for layout in ("ptmz", "modelzoo", "smallcnn", "table")},
    "tasks": lambda folder: load_tasks(folder / "tasks.yaml"),
    "recipe": lambda folder: load_recipe(folder / "recipe.yaml"),
    "record": lambda folder: read_record(folder / "record.json"),
    "predictions": lambda folder: read_predictions(folder / "predictions.parquet"),
}


def answer(reader: str, folder: Path) -> dict[str, object]:
    """How a reader answers: type and message of the error, processor seconds, and growth of memory at its highest."""
    before = reset_peak()
    started = time.process_time()
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    error: BaseException | None = None
    try:
        READERS[reader](folder)
    except BaseException as raised:
        error = raised
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    kinds = [kind.__name__ for kind in type(error).__mro__] if error else ["no error"]
    seconds = time.process_time() - started
    return {"kinds": kinds, "message": str(error), "seconds": seconds, "bytes": peak() - before}


def reset_peak() -> int:
    """Forget how much memory was used at most, where the system can; returns what is used now, in bytes."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return status("VmRSS")
    except OSError:
        return peak()


def peak() -> int:
    """The most memory that was used, in bytes."""
    try:
        return status("VmHWM")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def status(field: str) -> int:
    """A field of the process's status, in bytes."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def wake(*_: object) -> None:
    """End a wait."""
    raise StillReading(f"still reading after {PATIENCE} seconds")


def main() -> None:
    """Answer everything that is asked."""
    signal.signal(signal.SIGALRM, wake)
    warm, *asked = json.load(sys.stdin)
    for reader, folder in warm:  # sound files: what libraries load when they are first used is not the trick's
        READERS[reader](Path(folder))
    if mapped := status("VmSize") if Path("/proc/self/status").exists() else 0:
        resource.setrlimit(resource.RLIMIT_AS, (mapped + ROOM, mapped + ROOM))
    for reader, folder in asked:
        print(json.dumps(answer(reader, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
