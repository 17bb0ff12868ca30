"""What a result was computed with: interpreter, platform, and the versions that can move a number."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata

from wslbench.zoo import Zoo

_PACKAGES = ("torch", "torch-geometric", "numpy", "pandas", "scikit-learn", "scipy", "lightgbm")


def environment(device: str = "cpu", zoos: Iterable[Zoo] = ()) -> dict[str, str]:
    """Names and versions, as text; packages that are not installed are left out.

    Parameters
    ----------
    device
        The torch device that the method was told to use. An accelerator is named: ``cuda (NVIDIA H200)``.
    zoos
        Those that were used; where they come from, in which revision, is named if it is not this machine.
    """
    values = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpus": str(os.cpu_count()),
        "device": _named(device),
    }
    for package in _PACKAGES:
        try:
            values[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return values | {f"zoo {zoo.name}": zoo.origin for zoo in zoos if zoo.origin is not None}


def _named(device: str) -> str:
    if not device.startswith("cuda"):
        return device
    import torch  # an evaluation on a processor does without

    return f"{device} ({torch.cuda.get_device_name(device)})" if torch.cuda.is_available() else device
