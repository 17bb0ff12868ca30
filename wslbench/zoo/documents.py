"""Reading and writing zoo.yaml and manifest.json, with errors that name file and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from wslbench.errors import ZooDamagedError, ZooFormatError, ZooVersionError
from wslbench.foreign_text import has_control_characters, read_bytes, texts_in, yaml_loader, yaml_objection
from wslbench.zoo._header import unique_keys
from wslbench.zoo.atomic import write_text
from wslbench.zoo.schema import FORMAT_VERSION, Manifest, ZooCard

CARD = "zoo.yaml"
MANIFEST = "manifest.json"
_MAX_BYTES = {CARD: 2**19, MANIFEST: 4 * 2**20}  # YAML is slow to parse; JSON unfolds to 25 times its size

Record = TypeVar("Record", bound=BaseModel)


def read_manifest(folder: Path) -> Manifest:
    """Read ``manifest.json``.

    Raises
    ------
    ZooDamagedError
        If the file is missing or not JSON (for example cut short).
    ZooVersionError
        If it is of a newer format version.
    ZooFormatError
        If a field is missing, unknown or malformed.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(_text(path), object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise ZooDamagedError(f"{path} is not valid JSON ({error}): fetch or build the zoo again") from error
    return _validated(Manifest, content, path)


def read_card(folder: Path) -> ZooCard:
    """Read ``zoo.yaml``; raises as :func:`read_manifest` does."""
    path = folder / CARD
    text = _text(path)
    try:
        objection = yaml_objection(text)
        if objection is not None:
            raise ZooFormatError(f"{path}, line {objection.line}: {objection.reason}")
        content = yaml.load(text, Loader=yaml_loader())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ZooDamagedError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    return _validated(ZooCard, content, path)


def write_card(folder: Path, card: ZooCard) -> None:
    """Write ``zoo.yaml``.

    Raises
    ------
    ZooFormatError
        If the card holds control characters, with which nobody could read it back.
    """
    content = json.loads(card.model_dump_json())  # fresh objects: nothing shared that YAML would turn into an alias
    _refuse_control_characters(content, folder / CARD)
    write_text(folder / CARD, yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``manifest.json``."""
    write_text(folder / MANIFEST, manifest.model_dump_json(indent=1) + "\n")


def _text(path: Path) -> str:
    try:
        return read_bytes(path, _MAX_BYTES[path.name]).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ZooDamagedError(f"{path} is not UTF-8 text") from error
    except FileNotFoundError as error:
        raise ZooDamagedError(f"{path} cannot be read: no such file; {path.parent} is no zoo, or damaged") from error
    except OSError as error:
        raise ZooDamagedError(f"{path} cannot be read: {error.strerror}") from error


def _validated(record: type[Record], content: object, path: Path) -> Record:
    if not isinstance(content, dict):
        raise ZooFormatError(f"{path} is not a map of fields")
    _refuse_control_characters(content, path)
    version = content.get("format_version")
    # Before anything else: a newer version may have fields that this one would call malformed.
    if type(version) is int and version > FORMAT_VERSION:
        raise ZooVersionError(
            f"{path} is written in format version {version}, this wslbench reads up to {FORMAT_VERSION}: "
            "update it with `pip install --upgrade wslbench`"
        )
    try:
        return record.model_validate(content)
    except (ValidationError, RecursionError) as error:
        raise ZooFormatError(f"{path}: {_first_problem(error)}") from error


def _refuse_control_characters(content: object, path: Path) -> None:
    if any(map(has_control_characters, texts_in(content))):
        raise ZooFormatError(f"{path} holds control characters, which could take over a terminal")


def _first_problem(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    problem = error.errors()[0]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"field {'.'.join(map(str, problem['loc'])) or '(all)'}: {problem['msg']}{more}"
