"""A whole task file checked, against the schema and the zoos that it names: a finding a task, nothing hidden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wslbench.bundled import bundled_path
from wslbench.errors import TaskError, WslbenchError
from wslbench.tasks.book import task_of
from wslbench.tasks.file_check import CheckedFile, check_schema, stem_of
from wslbench.tasks.located_yaml import FieldPath, LocatedYaml, field_name, read_located_yaml
from wslbench.tasks.zoo_check import Objection, check_on_zoos

if TYPE_CHECKING:
    from wslbench.zoo import Zoo


class TaskFinding(NamedTuple):
    """One task: ``problems``, each with its line and field; where there are none, a ``summary`` of it.

    ``task`` is its id; that of an entry which the schema refuses is ``<zoo>.<target>``, or its place in the file.
    """

    task: str
    problems: tuple[str, ...]
    summary: str = ""


class FileFindings(NamedTuple):
    """All tasks of a file, in its order, and problems with the rest of it (suites, version, form)."""

    tasks: list[TaskFinding]
    elsewhere: list[str]

    @property
    def wrong(self) -> int:
        """How many tasks have problems."""
        return sum(bool(finding.problems) for finding in self.tasks)


def validate_tasks(path: Path | None, open_zoo: Callable[[str], Zoo]) -> FileFindings:
    """Check a task file; None: the one that ships.

    Parameters
    ----------
    open_zoo
        Opens a zoo by name, such as :func:`wslbench.load_zoo`.

    Raises
    ------
    TaskError
        If there is no such file.
    """
    path = bundled_path("tasks.yaml") if path is None else path
    if not path.is_file():
        raise TaskError(f"There is no task file at {path}.")
    try:
        located = read_located_yaml(path)
    except TaskError as error:
        return FileFindings([], [str(error)])
    checked = check_schema(located.data)
    zoos = _OpenOnce(open_zoo)
    tasks = []
    for position in range(_entries_in(located)):
        wrong = [_text(located, *mistake) for mistake in checked.mistakes if mistake.field[:2] == ("tasks", position)]
        if position in checked.entries:
            tasks += _findings(located, checked, position, zoos)
        else:
            name = stem_of(located.data["tasks"][position]) or field_name(("tasks", position))
            tasks.append(TaskFinding(name, tuple(wrong)))
    elsewhere = [_text(located, *mistake) for mistake in checked.mistakes if not _is_of_an_entry(mistake.field)]
    return FileFindings(tasks, elsewhere)


def _findings(located: LocatedYaml, checked: CheckedFile, position: int, zoos: _OpenOnce) -> list[TaskFinding]:
    """A finding a task of one entry."""
    entry = checked.entries[position]
    findings = []
    for place, protocol in enumerate(entry.protocols):
        task = task_of(entry, protocol, checked.default_protocol)
        here: FieldPath = ("tasks", position, "protocols", place)
        problems = [_text(located, *mistake) for mistake in checked.mistakes if mistake.field == here]
        verdict = check_on_zoos(task, zoos)
        problems += [_text(located, _place_of(objection, here), objection.message) for objection in verdict.objections]
        findings.append(TaskFinding(task.id, tuple(problems), "" if problems else verdict.summary))
    return findings


def _place_of(objection: Objection, protocol: FieldPath) -> FieldPath:
    return protocol if objection.field == "protocols" else (*protocol[:2], objection.field)


def _is_of_an_entry(field: FieldPath) -> bool:
    return len(field) > 1 and field[0] == "tasks" and isinstance(field[1], int)


def _entries_in(located: LocatedYaml) -> int:
    declared = located.data.get("tasks") if isinstance(located.data, dict) else None
    return len(declared) if isinstance(declared, list) else 0


def _text(located: LocatedYaml, field: FieldPath, message: str) -> str:
    return f"{located.where(field)}: {message}{'' if message.endswith('?') else '.'}"


class _OpenOnce:
    """Opens each zoo once, and fails each time with what it failed with first."""

    def __init__(self, open_zoo: Callable[[str], Zoo]) -> None:
        self._open, self._zoos = open_zoo, dict[str, "Zoo | WslbenchError"]()

    def __call__(self, name: str) -> Zoo:
        if name not in self._zoos:
            try:
                self._zoos[name] = self._open(name)
            except WslbenchError as error:
                self._zoos[name] = error
        found = self._zoos[name]
        if isinstance(found, WslbenchError):
            raise found
        return found
