"""Where a zoo stands on the hub: ``hf://owner/name@revision``."""

from __future__ import annotations

import re
from typing import NamedTuple

from wslbench.errors import ZooNotFoundError
from wslbench.zoo.loading import HUB_SCHEME

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
_REPOSITORY = re.compile(rf"{_PART}/{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/-]{0,127}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubAddress(NamedTuple):
    """A dataset repository (``owner/name``) and a revision of it: a commit, a branch or a tag."""

    repository: str
    revision: str = "main"

    @property
    def is_pinned(self) -> bool:
        """Whether it means the same content for ever."""
        return is_commit(self.revision)

    def __str__(self) -> str:
        return f"{HUB_SCHEME}{self.repository}@{self.revision}"


def is_commit(text: object) -> bool:
    """Whether something is the full name of a commit."""
    return isinstance(text, str) and _COMMIT.fullmatch(text) is not None


def parse_address(text: str) -> HubAddress:
    """Read ``hf://owner/name@revision``; the scheme and the revision may be left out.

    Raises
    ------
    ZooNotFoundError
        If it is not of that form.
    """
    repository, at, revision = text.removeprefix(HUB_SCHEME).partition("@")
    revision = revision if at else "main"
    # The hub allows no name with "--", which stands for the slash in caches.
    if not _REPOSITORY.fullmatch(repository) or not _REVISION.fullmatch(revision) or ".." in text or "--" in repository:
        raise ZooNotFoundError(f"{text!r} is no zoo on the hub: write hf://OWNER/NAME or hf://OWNER/NAME@REVISION")
    return HubAddress(repository, revision)
