"""Where each page stands: file names that every file system and every browser takes, from names that are foreign."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_@-]*(?:\.[A-Za-z0-9_@-]+)*")
_LONGEST: Final = 100


def file_names(names: Iterable[str], ending: str) -> dict[str, str]:
    """A file name for each name, no two alike where case does not count; plain names stay what they are.

    The same names give the same file names, in whatever order they come, so that links from elsewhere hold.
    """
    distinct = sorted(set(names))
    lower: dict[str, int] = {}
    for name in distinct:
        lower[name.lower()] = lower.get(name.lower(), 0) + 1
    return {name: f"{_stem(name, lower[name.lower()] == 1)}.{ending}" for name in distinct}


def _stem(name: str, alone: bool) -> str:
    if alone and len(name) <= _LONGEST and _PLAIN.fullmatch(name):
        return name
    # "~" is in no plain name: what is made up here is never the name of another.
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9_@-]+", "-", name)[:_LONGEST].strip("-")
    return f"{readable or 'page'}~{digest}"


@dataclass(frozen=True)
class Addresses:
    """Where pages stand, from the site's folder or from a folder in it.

    Attributes
    ----------
    root
        The way to the site's folder: empty, or ``../``.
    """

    methods: Mapping[str, str]
    tasks: Mapping[str, str]
    root: str = ""

    def method(self, name: str) -> str | None:
        """The link to a method's page, if it has one."""
        return f"{self.root}methods/{self.methods[name]}" if name in self.methods else None

    def task(self, task_id: str) -> str | None:
        """The link to a task's page, if it has one."""
        return f"{self.root}tasks/{self.tasks[task_id]}" if task_id in self.tasks else None

    def zoo(self, name: str) -> str:
        """The link to a zoo's diagram on the front page."""
        return f"{self.root}index.html#{zoo_anchor(name)}"

    def one_down(self) -> Addresses:
        """The same from a page in a folder."""
        return replace(self, root="../")


def addresses_of(methods: Iterable[str], tasks: Iterable[str]) -> Addresses:
    """Addresses of everything that has a page."""
    return Addresses(file_names(methods, "html"), file_names(tasks, "html"))


def zoo_anchor(name: str) -> str:
    """The id of a zoo's diagram on the front page."""
    return f"zoo-{file_names([name], 'x')[name].removesuffix('.x')}"
