"""Files in a folder of results that are no part of a result: each is named, so that none is dropped in silence.

A folder of results has ``<method>/<task id>.json`` with ``.parquet`` beside it, and ``<method>/audit/<task id>.json``.
Hidden files and folders (journals, files on their way) and files of other kinds are nobody's business here.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Final

from wslbench.evaluation.audit_files import AUDIT_FOLDER

_SUFFIXES: Final = (".json", ".parquet")
_RECORD_DEPTH: Final = 2  # METHOD/TASK.json


def strays(folder: Path, known: Container[Path] = (), *, of_method: bool = False) -> list[str]:
    """A line for each stray file in a folder of results, or in the folder of one method.

    Parameters
    ----------
    known
        Files of which something has been said already.
    """
    above = 1 if of_method else 0
    found = ((path, _why(path, len(path.relative_to(folder).parts) + above)) for path in _files(folder))
    return [f"{path}: {why}" for path, why in found if why and path not in known]


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and name.endswith(_SUFFIXES):
                yield Path(place, name)


def _why(path: Path, depth: int) -> str | None:
    """What is wrong with where a file stands, ``depth`` steps down from the folder of results."""
    record = path.with_suffix(".json")
    if depth == _RECORD_DEPTH:
        lonely = record != path and not record.exists()
        return "there is no record beside these predictions." if lonely else None
    if depth == _RECORD_DEPTH + 1 and path.parent.name == AUDIT_FOLDER and record == path:
        audited = path.parent.parent / path.name
        return None if audited.exists() else "there is no result that this audit is of."
    return "it is at no place for a result, which is METHOD/TASK.json with TASK.parquet beside it."
