"""What the file of a method says of it, read as text and never run."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import NamedTuple

from wslbench.errors import MethodError
from wslbench.evaluation.method_file import read_method_file


class Source(NamedTuple):
    """A method's own words.

    Attributes
    ----------
    paragraphs
        Of the module's docstring and that of the class.
    same
        Whether the file is the one that results were made with.
    """

    paragraphs: list[str]
    same: bool


def source_of(folder: Path, file: str, class_name: str, source_hash: str) -> Source | None:
    """What stands in a file of ``folder``; None where there is no such file, or it is not Python."""
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
    paragraphs = [part for text in texts for part in inspect.cleandoc(text).split("\n\n") if part.strip()]
    return Source(paragraphs, source_hash in (found.hash, chosen.hash))
