"""``wslbench check``: a method on made-up networks, in seconds, under the same seal as in an evaluation."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple

import numpy as np

from wslbench.errors import MethodError
from wslbench.evaluation.failures import failure_paragraph
from wslbench.evaluation.generators.unit import GenerationResult, GenerationUnit, run_generation_unit
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.method_info import Declared, inspect_method
from wslbench.evaluation.pool import work_through
from wslbench.evaluation.synthetic import KINDS, synthetic_generation_unit, synthetic_unit
from wslbench.evaluation.unit import Unit, UnitResult, run_unit
from wslbench.evaluation.work import verb_of
from wslbench.tasks import TaskKind

CHECK_LIMITS: Final = Limits(seconds=60.0)
_UNSEEN_WIDTH: Final = 4
_WITHHELD: Final = "IV-B"
_JOBS: Final = 2


class Finding(NamedTuple):
    """What one check found: ``failed`` has to be mended, a ``note`` should be known."""

    title: str
    status: Literal["ok", "note", "failed"]
    text: str


class _Check(NamedTuple):
    """A problem, and what it is there to show. ``twin`` names the check whose answer it has to repeat."""

    title: str
    unit: Unit | GenerationUnit
    hint: str = ""
    twin: str | None = None


def check(
    method: str | Path, kinds: Sequence[TaskKind] = KINDS, limits: Limits = CHECK_LIMITS
) -> tuple[Declared, list[Finding]]:
    """Run a method on tiny synthetic problems of those kinds that ask for what it does.

    Returns
    -------
    What the method declares, and a finding for every check, in a fixed order.

    Raises
    ------
    MethodError
        If the file cannot be evaluated at all, or does nothing that these kinds ask for.
    """
    source = read_method_file(method)
    stop = threading.Event()
    with Launcher(source.preload) as launcher:
        declared = inspect_method(source, launcher, limits, stop)
        checks = [each for kind in kinds if verb_of(kind) in declared.verbs for each in _checks(kind)]
        if not checks:
            raise MethodError(
                f"{source.path} has nothing to check: {' and '.join(kinds)} asks for something else than "
                f"`{'` and `'.join(declared.verbs)}`, which {declared.class_name} has."
            )

        def run(which: _Check) -> UnitResult | GenerationResult:
            if isinstance(which.unit, GenerationUnit):
                return run_generation_unit(which.unit, source, launcher, limits, stop)
            return run_unit(which.unit, source, launcher, limits, stop)

        with closing(work_through(checks, run, lambda which, result: (), _JOBS, stop)) as done:
            results = {which.title: result for which, result in done}
    return declared, [_finding(which, results) for which in checks]


def _checks(kind: TaskKind) -> list[_Check]:
    if kind == "weight_generation":
        drawn = _Check("weights: fit and generate", synthetic_generation_unit("weights"))
        return [drawn, _Check("weights: the same networks when run again", drawn.unit, twin=drawn.title)]
    word = "phases" if kind == "phase_classification" else "numbers"
    plain = _Check(f"{word}: fit and predict", synthetic_unit(kind, word))
    found = [
        plain,
        _Check(f"{word}: the same numbers when run again", plain.unit, twin=plain.title),
        _Check(
            f"{word}: networks of a width that fit never saw",
            synthetic_unit(kind, f"{word}-width", test_widths=(_UNSEEN_WIDTH,)),
            "The protocol new-load asks for this: encode networks in a way that does not depend on their width.",
        ),
    ]
    if kind == "phase_classification":
        found.append(
            _Check(
                f"{word}: a phase that fit never saw",
                synthetic_unit(kind, f"{word}-withheld", withheld=(_WITHHELD,)),
                "The extrapolating protocols ask for this: give every phase of `context.classes` a column, and 0 to "
                "those that are not in `target`.",
            )
        )
    return found


def _finding(which: _Check, results: Mapping[str, UnitResult | GenerationResult]) -> Finding:
    result = results[which.title]
    if result.failure is not None:
        text = f"{failure_paragraph(result.failure, 'this check')} {which.hint}".strip()
        printed = f"\nIt printed:\n{result.failure.output}" if result.failure.output else ""
        return Finding(which.title, "failed", text + printed)
    if result.unsupported:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in result.unsupported.items())
        return Finding(which.title, "note", f"not supported ({reasons}). Chance stands in for such networks.")
    first = results[which.twin] if which.twin else result
    if _differ(first, result):
        return Finding(
            which.title,
            "note",
            "two runs on the same input gave different numbers, so results cannot be repeated. Seed whatever is drawn "
            "at random with `context.seed`.",
        )
    if isinstance(result, GenerationResult):
        assert isinstance(which.unit, GenerationUnit)
        assert result.drawn is not None
        copies = _copies(which.unit, result.drawn)
        if copies and not which.twin:
            return Finding(
                which.title,
                "note",
                f"{copies} of {which.unit.count} networks are train networks to the last digit: copies are not novel.",
            )
        seconds = f"fit {result.fit_seconds or 0.0:.2f} s, generate {result.predict_seconds or 0.0:.2f} s"
    else:
        seconds = f"fit {result.fit_seconds or 0.0:.2f} s, predict {result.predict_seconds or 0.0:.2f} s"
    return Finding(which.title, "ok", seconds)


def _copies(unit: GenerationUnit, drawn: Mapping[str, np.ndarray]) -> int:
    """How many drawn networks are train networks, parameter by parameter; batch-norm statistics do not count."""
    (stack,) = unit.train.by_architecture()
    names = [name for name in drawn if not name.endswith(("running_mean", "running_var"))]
    known = {b"".join(stack[name][row].tobytes() for name in names) for row in range(len(stack))}
    return sum(b"".join(drawn[name][row].tobytes() for name in names) in known for row in range(unit.count))


def _differ(first: UnitResult | GenerationResult, second: UnitResult | GenerationResult) -> bool:
    close = partial(np.allclose, rtol=1e-6, atol=1e-9, equal_nan=True)
    if isinstance(first, GenerationResult) and isinstance(second, GenerationResult):
        assert first.drawn is not None
        assert second.drawn is not None
        return not all(close(first.drawn[name], second.drawn[name]) for name in first.drawn)
    assert isinstance(first, UnitResult)
    assert isinstance(second, UnitResult)
    assert first.predictions is not None
    assert second.predictions is not None
    return not close(first.predictions, second.predictions)
