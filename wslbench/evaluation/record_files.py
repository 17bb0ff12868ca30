"""Records on disk: one JSON file each, whole or not at all, of a schema or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from wslbench.errors import ResultError
from wslbench.foreign_text import has_control_characters, read_bytes, texts_in
from wslbench.zoo.atomic import write_text

Record = TypeVar("Record", bound=BaseModel)

_MAX_BYTES = 2 * 2**20  # many times what records have
_MAX_VALUES = 100_000  # each is unfolded once for every field that is found wrong


def write_record(record: BaseModel, path: Path, kind: str) -> None:
    """Write a record, and the folders that it stands in.

    Raises
    ------
    ResultError
        If it cannot be written; the message says which ``kind`` of record it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text_of(record))
    except OSError as error:
        raise ResultError(f"The {kind} {path} cannot be written: {error}") from error


def text_of(record: BaseModel) -> str:
    """What a record's file holds: a number a line, indented by one, as a repository holds hundreds of them."""
    return record.model_dump_json(indent=1) + "\n"


def read_record_of(
    schema: type[Record],
    path: Path,
    kind: str,
    upgraded: Callable[[dict[str, Any]], dict[str, Any] | None] | None = None,
) -> Record:
    """Read a record.

    Parameters
    ----------
    upgraded
        Makes an object of this schema of one of an older schema; None for what is of no older one.

    Raises
    ------
    ResultError
        If the file cannot be read, is not a record of this schema (the message names the first wrong field), or holds
        control characters.
    """
    try:
        text = read_bytes(path, _MAX_BYTES)
    except OSError as error:
        raise ResultError(f"The {kind} {path} cannot be read: {error.strerror or error}") from error
    if sum(map(text.count, (b",", b"[", b"{"))) > _MAX_VALUES:
        raise ResultError(f"The {kind} {path} is not a record of this version: it has more than {_MAX_VALUES} values.")
    try:
        record = _validated(schema, text, upgraded)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(step) for step in first["loc"]) or "the file"
        raise ResultError(f"The {kind} {path} is not a record of this version: {field}: {first['msg']}.") from error
    # Without escapes, what its texts hold stands in the file as it is: one look instead of one a text.
    plain = b"\\" not in text and not has_control_characters(text.decode())
    if not plain and any(map(has_control_characters, texts_in(record.model_dump(mode="json")))):
        raise ResultError(f"The {kind} {path} holds control characters, which could take over a terminal.")
    return record


def _validated(
    schema: type[Record], text: bytes, upgraded: Callable[[dict[str, Any]], dict[str, Any] | None] | None
) -> Record:
    try:
        return schema.model_validate_json(text)
    except ValidationError:
        if upgraded is None or (older := _json_object(text)) is None or (newer := upgraded(older)) is None:
            raise
        return schema.model_validate_json(json.dumps(newer))


def _json_object(text: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
