"""wslbench: the benchmark suite for weight space learning.

Names are imported when first used: ``import wslbench`` itself loads nothing.
"""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wslbench import encodings as encodings
    from wslbench import landscape as landscape
    from wslbench import symmetry as symmetry
    from wslbench import typing as typing
    from wslbench.zoo import Models as Models
    from wslbench.zoo import Zoo as Zoo
    from wslbench.zoo import load_zoo as load_zoo

    __version__: str

# name -> module that holds it; None: the name is a submodule.
_EXPORTS: dict[str, str | None] = {
    "Models": "wslbench.zoo",
    "Zoo": "wslbench.zoo",
    "load_zoo": "wslbench.zoo",
    "encodings": None,
    "landscape": None,
    "symmetry": None,
    "typing": None,
}

__all__ = ["Models", "Zoo", "__version__", "encodings", "landscape", "load_zoo", "symmetry", "typing"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name not in _EXPORTS:
        raise AttributeError(f"module 'wslbench' has no attribute {name!r}")
    home = _EXPORTS[name]
    if home is None:
        return importlib.import_module(f"wslbench.{name}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    try:
        return version("wslbench")
    except PackageNotFoundError:  # a checkout on the path that was never installed
        return "0+unknown"
