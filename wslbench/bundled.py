"""Where the files stand that belong to wslbench but are not modules: tasks, baselines, committed results.

In a checkout they are at the root, where people look for them; in an installed wheel they are package
data. Everything else asks here, so that the two layouts behave alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

BundledName = Literal["tasks.yaml", "baselines", "results", "verified", "comparators"]

_PACKAGE = Path(__file__).resolve().parent
_IN_CHECKOUT: dict[str, str] = {
    "tasks.yaml": "tasks.yaml",
    "baselines": "baselines",
    "results": "leaderboard/results",
    "verified": "leaderboard/verified",
    "comparators": "leaderboard/comparators",
}


def bundled_path(name: BundledName) -> Path:
    """Path of a bundled file or folder, in a checkout or in an installed wheel.

    A wheel carries its own copy and has no ``pyproject.toml`` beside the package; a checkout (also an
    editable install of one) has.
    """
    root = _PACKAGE.parent
    if (root / "pyproject.toml").is_file():
        return root / _IN_CHECKOUT[name]
    return _PACKAGE / "_bundled" / name


def embedded_zoos_path() -> Path:
    """Folder of the zoos that ship inside the package, one folder a zoo."""
    return _PACKAGE / "zoos"
