"""Reading and writing zoo.yaml and manifest.json, with errors that name file and field."""

from __future__ import annotations

import json
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from wslbench.errors import ZooDamagedError, ZooFormatError, ZooVersionError
from wslbench.zoo._header import unique_keys
from wslbench.zoo.atomic import write_text
from wslbench.zoo.schema import FORMAT_VERSION, Manifest, ZooCard

CARD = "zoo.yaml"
MANIFEST = "manifest.json"
_MAX_BYTES = {CARD: 2**19, MANIFEST: 4 * 2**20}  # YAML is slow to parse; JSON unfolds to 25 times its size
# The safe loader, in C where libyaml is there.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Escape codes, and what reverses the direction of writing; what lays a text out or joins letters is none of them.
_CONTROL = frozenset({"Cc", "Cf", "Cs"})
_LAYOUT = frozenset("\t\n\r\u00ad\u200b\u200c\u200d\ufeff")

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
        # An alias can be unfolded to any size by a few lines; cards are written without.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_LOADER)):
            raise ZooFormatError(f"{path} uses YAML aliases, which zoo cards may not")
        content = yaml.load(text, Loader=_LOADER)
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
    limit = _MAX_BYTES[path.name]
    try:
        # Asked before opening: a pipe would be waited for without end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ZooDamagedError(f"{path} is not an ordinary file")
        with path.open("rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise ZooDamagedError(f"{path} has more than {limit} bytes, which no zoo needs")
        return content.decode("utf-8")
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
    for text in _texts(content):
        # Most texts are printable to the last character; only the others are looked through one by one.
        if not text.isprintable() and any(
            unicodedata.category(sign) in _CONTROL for sign in text if sign not in _LAYOUT
        ):
            raise ZooFormatError(f"{path} holds control characters, which could take over a terminal")


def _texts(content: object) -> Iterator[str]:
    """Every text in a document, keys too; without recursion, for a document may be nested to any depth."""
    waiting: list[object] = [content]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            waiting += item


def _first_problem(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    problem = error.errors()[0]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"field {'.'.join(map(str, problem['loc'])) or '(all)'}: {problem['msg']}{more}"
