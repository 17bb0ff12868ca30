"""What the file of a method says of it, read as text and never run."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from wslbench.errors import MethodError
from wslbench.evaluation.method_file import read_method_file

_SECTION: Final = re.compile(r"^[A-Z][A-Za-z ]*\n-{3,}$", re.MULTILINE)
_ITEM: Final = re.compile(r"^[*-] +", re.MULTILINE)


class Paragraph(NamedTuple):
    """A paragraph, or the items of a list; every second piece of a text is code."""

    is_list: bool
    texts: list[list[str]]


class Source(NamedTuple):
    """A method's own words.

    Attributes
    ----------
    paragraphs
        Of the module's docstring and that of the class, up to sections such as ``Attributes``.
    same
        Whether the file is the one that results were made with.
    """

    paragraphs: list[Paragraph]
    same: bool


def source_of(folder: Path, file: str, class_name: str, source_hash: str, known: str = "") -> Source | None:
    """What stands in a file of ``folder``; None where there is no such file, or it is not Python.

    Parameters
    ----------
    known
        A line that the page has already, to be left out.
    """
    path = folder / file
    if path.name != file or not path.is_file():
        return None
    try:
        found = read_method_file(path)
        chosen = read_method_file(f"{path}::{class_name}")
        tree = ast.parse(path.read_bytes())
    except (MethodError, OSError, SyntaxError, ValueError):
        return None
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == class_name]
    nodes: list[ast.Module | ast.ClassDef] = [tree, *classes]
    texts = [ast.get_docstring(node) or "" for node in nodes]
    paragraphs = [each for text in texts for each in _paragraphs(inspect.cleandoc(text), known)]
    return Source(paragraphs, source_hash in (found.hash, chosen.hash))


def _paragraphs(text: str, known: str) -> Iterator[Paragraph]:
    for part in _SECTION.split(text)[0].split("\n\n"):
        items = [item for item in _ITEM.split(part) if item.strip()]
        is_list = _ITEM.match(part) is not None
        if part.strip() and part.strip() != known:
            yield Paragraph(is_list, [item.strip().split("``") for item in (items if is_list else [part])])
