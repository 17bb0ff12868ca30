"""The seal: inside an evaluation, zoos that hold the answers cannot be loaded.

This stops accidents, not attackers: a method that reads the package's files on purpose is outside of what the
isolation tier ``process`` promises. The seal cannot be lifted, and the processes that a method starts inherit it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from wslbench.bundled import embedded_zoos_path
from wslbench.errors import SealedError

_VARIABLE = "WSLBENCH_SEALED"
_hidden: set[str] | None = None


def seal(hidden: Iterable[str] = ()) -> None:
    """Seal this process and those that it starts.

    Parameters
    ----------
    hidden
        Weights hashes of further zoos to refuse, such as a zoo of the user's own that is being evaluated.
    """
    global _hidden
    _hidden = (_hidden or set()) | set(hidden)
    os.environ[_VARIABLE] = ",".join(sorted(_hidden))


def sealed() -> bool:
    """Whether this process is sealed."""
    return _hidden is not None or _VARIABLE in os.environ


def refuse_embedded(path: Path) -> None:
    """Raise if the process is sealed and the path leads into the embedded zoos.

    Raises
    ------
    SealedError
    """
    if sealed() and path.resolve().is_relative_to(embedded_zoos_path().resolve()):
        raise SealedError(
            f"the zoo {path.name!r} cannot be loaded inside an evaluation: a method sees the models it is given alone"
        )


def refuse_hidden(weights_hash: str) -> None:
    """Raise if the process is sealed and these are the weights of an embedded or a hidden zoo, wherever they stand.

    Raises
    ------
    SealedError
    """
    if sealed() and (weights_hash in _hidden_hashes() or weights_hash in set(_embedded_hashes())):
        raise SealedError("a zoo with the weights under evaluation cannot be loaded inside an evaluation")


def _hidden_hashes() -> set[str]:
    return (_hidden or set()) | set(os.environ.get(_VARIABLE, "").split(","))


def _embedded_hashes() -> Iterator[str]:
    for manifest in embedded_zoos_path().glob("*/manifest.json"):
        try:
            yield json.loads(manifest.read_text(encoding="utf-8"))["weights"]["hash"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a broken embedded zoo cannot be loaded anyway
