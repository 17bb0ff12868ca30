"""What a result was computed with: interpreter, platform, and the versions that can move a number."""

from __future__ import annotations

import os
import platform
from importlib import metadata

_PACKAGES = ("torch", "torch-geometric", "numpy", "pandas", "scikit-learn", "scipy", "lightgbm")


def environment() -> dict[str, str]:
    """Names and versions, as text; packages that are not installed are left out."""
    values = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": str(os.cpu_count()),
    }
    for package in _PACKAGES:
        try:
            values[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return values
