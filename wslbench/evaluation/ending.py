"""How a unit ended, whatever it was asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from wslbench.evaluation.failures import UnitFailure


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What every unit has to say when it is over.

    Attributes
    ----------
    unsupported
        Why an architecture is not supported, by its name.
    predict_seconds
        Of ``predict`` over all chunks, or of ``generate``.
    """

    failure: UnitFailure | None = None
    unsupported: dict[str, str] = field(default_factory=dict)
    fit_seconds: float | None = None
    predict_seconds: float | None = None
    peak_memory_bytes: int | None = None
    parameters: int | None = None
