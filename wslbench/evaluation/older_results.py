"""Result records of older schemas, brought up to the present one step by step, so that they stay readable."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_SCORING: Final = re.compile(r"^(?P<evaluator>.*), scoring (?P<version>\d+)$")


def upgraded(record: dict[str, Any]) -> dict[str, Any] | None:
    """A record of an older schema as one of the present schema; None where it is of none."""
    version = record.get("schema_version")
    if type(version) is not int or version not in _STEPS:  # true is no 1
        return None
    while version in _STEPS:
        step = _STEPS[version](record)
        if step is None:
            return None
        record, version = step, version + 1
    return record


def _from_1(record: dict[str, Any]) -> dict[str, Any] | None:
    """Schema 1 had the version of the scoring rules as text, at the end of the evaluator's."""
    provenance = record.get("provenance")
    if not isinstance(provenance, dict):
        return None
    found = _SCORING.match(str(provenance.get("evaluator")))
    if found is None:
        return None
    newer = {**provenance, "evaluator": found["evaluator"], "scoring": int(found["version"])}
    return {**record, "schema_version": 2, "provenance": newer}


_STEPS: Final[Mapping[int, Callable[[dict[str, Any]], dict[str, Any] | None]]] = {1: _from_1}
