"""YAML that remembers on which line each field stands, so that errors can say where to look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from wslbench.errors import TaskError
from wslbench.foreign_text import read_bytes, yaml_loader, yaml_objection

_MAX_BYTES = 2**20  # YAML is slow to parse, and no task file needs more

FieldPath = tuple[str | int, ...]


class LocatedYaml(NamedTuple):
    """A parsed file and the line (counted from 1) of every field in it."""

    name: str
    data: Any
    lines: dict[FieldPath, int]

    def where(self, path: Sequence[str | int]) -> str:
        """``tasks.yaml, line 12, tasks[2].transform``: the field, on the line of its nearest ancestor that exists."""
        known = tuple(path)
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known, 1)
        field = field_name(path)
        return f"{self.name}, line {line}" + (f", {field}" if field else "")


def field_name(path: Sequence[str | int]) -> str:
    """``("tasks", 2, "transform")`` as ``tasks[2].transform``."""
    name = ""
    for step in path:
        name += f"[{step}]" if isinstance(step, int) else f".{step}" if name else step
    return name


def read_located_yaml(path: Path) -> LocatedYaml:
    """Parse a YAML file with plain values only (no tags that build objects).

    Raises
    ------
    TaskError
        If the file is absent, too large, not UTF-8 or not YAML, names a field twice, or holds what
        :func:`yaml_objection` objects to.
    """
    try:
        text = read_bytes(path, _MAX_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise TaskError(f"There is no task file at {path}.") from None
    except OSError as error:
        raise TaskError(f"The task file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise TaskError(f"The task file {path} cannot be read: {error}.") from error
    try:
        objection = yaml_objection(text)
    except yaml.YAMLError as error:
        raise TaskError(_syntax_message(path.name, error)) from error
    if objection is not None:
        raise TaskError(f"{path.name}, line {objection.line}: {objection.reason}.")
    loader = yaml_loader()(text)
    try:
        node = loader.get_single_node()
        lines: dict[FieldPath, int] = {}
        if node is not None:
            _note_lines(node, (), lines, path.name)
        data = None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise TaskError(_syntax_message(path.name, error)) from error
    finally:
        loader.dispose()
    return LocatedYaml(path.name, data, lines)


def _note_lines(node: yaml.Node, path: FieldPath, lines: dict[FieldPath, int], name: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for position, child in enumerate(node.value):
            _note_lines(child, (*path, position), lines, name)
    elif isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            step = (*path, str(key.value))
            line = key.start_mark.line + 1
            if step in lines:  # YAML readers silently keep the last one
                raise TaskError(f"{name}, line {line}, {field_name(step)}: the field stands twice; remove one.")
            lines[step] = line
            _note_lines(child, step, lines, name)


def _syntax_message(name: str, error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    line = f", line {mark.line + 1}" if mark is not None else ""
    return f"{name}{line}: not valid YAML: {problem}."
