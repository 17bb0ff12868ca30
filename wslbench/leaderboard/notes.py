"""What should be known of results that are shown, though each of them stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wslbench.leaderboard.checking import Anew

if TYPE_CHECKING:
    from wslbench.leaderboard.results import TaskEntries

_ANEW: Final[Mapping[Anew, str]] = MappingProxyType(
    {
        "rules": "scored anew by the rules of today, their records being of older ones",
        "floors": "scored anew beside the floors of today, their records being beside others",
    }
)


def mixed_versions(found: Sequence[TaskEntries]) -> list[str]:
    """Methods whose results come from more than one version of their file."""
    versions: dict[str, dict[str, list[str]]] = {}
    for entries in found:
        for entry in entries.entries:
            method = entry.record.method
            versions.setdefault(method.name, {}).setdefault(method.source_hash, []).append(entries.task.id)
    return [
        f"{name}: its results are of {len(by_hash)} versions of its file: "
        + "; ".join(f"{source[:8]} on {len(tasks)} tasks ({tasks[0]}…)" for source, tasks in by_hash.items())
        + "."
        for name, by_hash in sorted(versions.items())
        if len(by_hash) > 1
    ]


def scored_anew(found: Sequence[TaskEntries]) -> list[str]:
    """Results whose numbers on the board are not those of their files, a line a task and reason."""
    lines = []
    for entries in found:
        for anew, words in _ANEW.items():
            names = [entry.record.method.name for entry in entries.entries if entry.anew == anew]
            if names:
                lines.append(f"{entries.task.id}: {words}: {', '.join(names)}.")
    return lines
