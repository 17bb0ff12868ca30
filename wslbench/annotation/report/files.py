"""The folder of a report: written whole or not at all, and never over anything that is not a report."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from wslbench.errors import ZooError

RECORD = "report.json"
KIND = "wslbench phase report"


def checked_destination(folder: Path) -> Path:
    """The folder's true place.

    Raises
    ------
    ZooError
        If it is a file, or holds anything that is not a report of an earlier call.
    """
    try:
        folder = folder.expanduser().resolve()
        if not folder.exists():
            return folder
        if not folder.is_dir():
            raise ZooError(f"{folder} is a file: a report is a folder")
        held = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise ZooError(f"{folder} cannot be read: {error.strerror}") from error
    strangers = sorted(held - _files_of_report(folder))
    if strangers:
        raise ZooError(
            f"{folder} holds {strangers[0]!r}, which belongs to no report: give an empty or new folder, or that of an "
            "earlier report"
        )
    return folder


def write_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts by name, and put the folder in its place when all are there.

    Raises
    ------
    ZooError
        If that cannot be done; what stood there still does.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise ZooError(f"{folder} cannot be written: {error.strerror}") from error
    try:
        fresh, former = workshop / "fresh", workshop / "former"
        fresh.mkdir()
        for name, text in files.items():
            (fresh / name).write_text(text, encoding="utf-8", newline="")
        if folder.exists():
            folder.rename(former)
        try:
            fresh.rename(folder)
        except BaseException:
            if former.exists():
                former.rename(folder)
            raise
    except OSError as error:
        raise ZooError(f"{folder} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _files_of_report(folder: Path) -> set[str]:
    """What an earlier report wrote here, by its own record; nothing if there is none."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return set()
    if not isinstance(record, dict) or record.get("kind") != KIND or not isinstance(record.get("files"), list):
        return set()
    return {name for name in record["files"] if isinstance(name, str) and name == Path(name).name}
