"""Text that other people wrote: read with a limit, parsed without what unfolds, shown without what a terminal obeys."""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

# Escape codes, and what reverses the direction of writing; what lays a text out or joins letters is none of them.
_CONTROL = frozenset({"Cc", "Cf", "Cs"})
_LAYOUT = frozenset("\t\n\r\u00ad\u200b\u200c\u200d\ufeff")

_MAX_DEPTH = 64
_MAX_EVENTS = 50_000  # a second's worth
_MAX_DIGITS = 256
_NUMBER = re.compile(r"[-+]?[0-9][0-9a-fA-FoOxX_:.]*")


class YamlObjection(NamedTuple):
    """What is wrong with a YAML text, and on which line (counted from 1)."""

    line: int
    reason: str


def read_bytes(path: Path, limit: int) -> bytes:
    """All bytes of an ordinary file.

    Raises
    ------
    OSError
        If it cannot be read, is no ordinary file (a pipe would be waited for without end, and a device never ends),
        or has more than ``limit`` bytes.
    """
    # Opened without waiting, then asked: between the two nobody can put another file in its place.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not an ordinary file", str(path))
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes", str(path))
    return content


def yaml_loader() -> Any:
    """The safe loader, in C where libyaml is there."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def yaml_objection(text: str) -> YamlObjection | None:
    """What a YAML text holds that takes over a terminal, or takes all memory or time once it is loaded.

    Aliases unfold to any size in a few lines, the time of nested brackets and of numbers grows with the square of their
    length. Events come one by one, so that nothing is read beyond the first objection.

    Raises
    ------
    yaml.YAMLError
        If the text is not YAML.
    """
    import yaml

    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml_loader())):
        reason = f"more than {_MAX_EVENTS} values" if count > _MAX_EVENTS else None
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            reason = "nested too deeply" if depth > _MAX_DEPTH else reason
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            reason = "YAML aliases may not be used; write the value out"
        elif isinstance(event, yaml.ScalarEvent):
            if len(event.value) > _MAX_DIGITS and event.implicit[0] and _NUMBER.fullmatch(event.value):
                reason = f"a number of {len(event.value)} digits"
            elif has_control_characters(event.value):
                reason = "control characters, which could take over a terminal"
        if reason is not None:
            return YamlObjection(event.start_mark.line + 1 if event.start_mark else 1, reason)
    return None


def texts_in(content: object) -> Iterator[str]:
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


def has_control_characters(text: str) -> bool:
    """Whether a text could take over a terminal, or show as another than it is."""
    # Most texts are printable to the last character, and long ones have few different characters.
    return not text.isprintable() and any(map(_takes_over, set(text)))


def shown(text: str) -> str:
    """The text, with control characters as the escapes that they are written with: ``\\x1b``."""
    if not has_control_characters(text):
        return text
    return "".join(sign.encode("unicode_escape").decode() if _takes_over(sign) else sign for sign in text)


def _takes_over(sign: str) -> bool:
    return sign not in _LAYOUT and unicodedata.category(sign) in _CONTROL
