"""Amounts of memory as users write them."""

from __future__ import annotations

import re

import typer

_UNITS = {"": 2**30, "b": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "k": 2**10, "m": 2**20, "g": 2**30}
_UNITS |= {"kb": 10**3, "mb": 10**6, "gb": 10**9}


def memory_bytes(text: str) -> int:
    """Bytes of ``4GiB``, ``512MiB`` or ``1.5GB``; ``BadParameter`` for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text.lower())
    if found is None or found[2] not in _UNITS:
        raise typer.BadParameter(f"{text!r} is no amount of memory; write 4GiB, 512MiB or 1.5GB.")
    return int(float(found[1]) * _UNITS[found[2]])
