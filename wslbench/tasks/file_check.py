"""Reading a task file: everything that the schema says against it, with line and field."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from wslbench.errors import TaskError
from wslbench.tasks.located_yaml import FieldPath, read_located_yaml
from wslbench.tasks.schema import TaskEntry, TasksFile
from wslbench.zoo.protocols import DEFAULT_PROTOCOL, NEW_PHASE

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Mistake(NamedTuple):
    """What is wrong in a task file, and the field that it is wrong with."""

    field: FieldPath
    message: str


class CheckedFile(NamedTuple):
    """A task file as far as it can be understood.

    Attributes
    ----------
    default_protocol
        The file's, or wslbench's where the file names none.
    entries
        The entries that are valid, by position.
    mistakes
        Everything that the schema says against the file.
    file
        The whole of it; None where it has mistakes.
    """

    default_protocol: str
    entries: dict[int, TaskEntry]
    mistakes: list[Mistake]
    file: TasksFile | None


def read_tasks_file(path: Path) -> TasksFile:
    """Read and validate a task file.

    Raises
    ------
    TaskError
        With file, line and field of every problem found.
    """
    located = read_located_yaml(path)
    found = check_schema(located.data)
    if found.file is None:
        raise TaskError("\n".join(f"{located.where(field)}: {message}." for field, message in found.mistakes))
    return found.file


def check_schema(data: Any) -> CheckedFile:
    """Check what a task file says against the schema; an entry that is wrong does not hide what is wrong elsewhere."""
    try:
        file = TasksFile.model_validate(data)
    except ValidationError as error:
        mistakes = [_mistake(detail) for detail in error.errors()]
        parts = data if isinstance(data, dict) else {}
        entries = _valid_entries(parts.get("tasks"))
        default = parts.get("default_protocol")
        default = default if isinstance(default, str) else DEFAULT_PROTOCOL
        suites = parts.get("suites")
    else:
        mistakes, entries, default = [], dict(enumerate(file.tasks)), file.default_protocol
        parts, suites = {}, file.suites
    ids, more = _declared(entries, default)
    mistakes += more + _suite_mistakes(suites, ids, _unknown_stems(parts.get("tasks"), entries))
    return CheckedFile(default, entries, mistakes, None if mistakes else file)


def _mistake(detail: ErrorDetails) -> Mistake:
    field = tuple(step for step in detail["loc"] if step != "[key]")
    return Mistake(field, detail["msg"].removeprefix("Value error, ").rstrip("."))


def _valid_entries(declared: Any) -> dict[int, TaskEntry]:
    entries = {}
    for position, entry in enumerate(declared if isinstance(declared, list) else []):
        with suppress(ValidationError):
            entries[position] = TaskEntry.model_validate(entry)
    return entries


def _declared(entries: Mapping[int, TaskEntry], default_protocol: str) -> tuple[set[str], list[Mistake]]:
    """The ids of all tasks; and what no single field can know: ids that collide, phases that are never shown."""
    ids: set[str] = set()
    mistakes = []
    for position, entry in entries.items():
        for place, protocol in enumerate(entry.protocols):
            task_id = entry.id_under(protocol, default_protocol)
            where: FieldPath = ("tasks", position, "protocols", place)
            if task_id in ids:
                mistakes.append(Mistake(where, f"the task {task_id!r} is declared twice"))
            if protocol == NEW_PHASE and entry.kind == "phase_classification":
                message = (
                    f"the task {task_id!r} asks for phases that no fold of {NEW_PHASE} trains on; only targets that "
                    "are numbers can be asked for there"
                )
                mistakes.append(Mistake(where, message))
            ids.add(task_id)
    return ids, mistakes


def _unknown_stems(declared: Any, entries: Mapping[int, TaskEntry]) -> set[str]:
    """``<zoo>.<target>`` of entries that are wrong, whose tasks suites may name all the same; empty text: any."""
    entry_of = dict(enumerate(declared)) if isinstance(declared, list) else {}
    wrong = [entry for position, entry in entry_of.items() if position not in entries]
    return {stem_of(entry) or "" for entry in wrong}


def stem_of(declared: Any) -> str | None:
    """``<zoo>.<target>`` of an entry that need not be valid; None where it does not say."""
    parts = declared if isinstance(declared, dict) else {}
    zoo, target = parts.get("zoo"), parts.get("target")
    return f"{zoo}.{target}" if isinstance(zoo, str) and isinstance(target, str) else None


def _suite_mistakes(suites: Any, ids: set[str], unknown: set[str]) -> list[Mistake]:
    """Members that name no task, or stand twice."""
    mistakes = []
    for suite, members in suites.items() if isinstance(suites, dict) else ():
        for place, member in enumerate(members) if isinstance(members, list) else ():
            where: FieldPath = ("suites", str(suite), place)
            if not isinstance(member, str):
                continue
            if member not in ids and not unknown & {"", member.partition("@")[0]}:
                mistakes.append(Mistake(where, f"there is no task {member!r} in this file"))
            elif member in members[:place]:
                mistakes.append(Mistake(where, f"the task {member!r} stands twice in the suite"))
    return mistakes
