"""Runs whose numbers deserve a second look: dead or diverged, or not measured to tolerance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from wslbench.annotation.report.record import Record, printable
from wslbench.annotation.report.settings import setting

if TYPE_CHECKING:
    from wslbench.annotation.report.measurements import Measurements

EIGENVALUE_TOLERANCE = 0.01
"""Residual over modulus, where a card does not say: at which Lanczos' iteration stops."""


class RunNote(Record):
    """One run and what is the matter with it; ``value`` over ``limit`` where it is a number."""

    run_id: str
    cell_id: str
    seed: int
    matter: str
    value: float | None
    limit: float | None


class HealthCheck(Record):
    """One check of all runs.

    Attributes
    ----------
    matter
        What is wrong with a run that fails.
    runs, failed, missing
        How many were checked, failed, and could not be checked for want of a number.
    limit, median, worst
        Of the ratio that is checked; None for a plain flag, and ``limit`` where the zoo does not tell.
    """

    matter: str
    runs: int
    failed: int
    missing: int
    limit: float | None
    median: float | None
    worst: float | None


class HealthSection(Record):
    """All checks, and the runs that failed one."""

    checks: list[HealthCheck]
    notes: list[RunNote]


class _Ratio(NamedTuple):
    """An error over what it is the error of."""

    matter: str
    error: str
    value: str
    limit: float | None


def health_section(measured: Measurements) -> HealthSection:
    """Check all measured runs of a zoo."""
    runs = measured.runs
    checks, notes = [], []
    for matter, bad in _flags(runs):
        checks.append(
            HealthCheck(
                matter=matter, runs=len(runs), failed=int(bad.sum()), missing=0, limit=None, median=None, worst=None
            )
        )
        notes += _notes(runs[bad], matter, None, None)
    for ratio in _ratios(measured):
        if ratio.error in runs and ratio.value in runs:
            shares = (_numbers(runs, ratio.error) / _numbers(runs, ratio.value).abs()).replace(
                [np.inf, -np.inf], np.nan
            )
            known = shares.dropna()
            bad = shares > ratio.limit if ratio.limit is not None else shares > np.inf
            checks.append(
                HealthCheck(
                    matter=ratio.matter,
                    runs=len(runs),
                    failed=int(bad.sum()),
                    missing=int(shares.isna().sum()),
                    limit=ratio.limit,
                    median=float(known.median()) if len(known) else None,
                    worst=float(known.max()) if len(known) else None,
                )
            )
            notes += _notes(runs[bad], ratio.matter, shares[bad], ratio.limit)
    return HealthSection(checks=checks, notes=notes)


def _flags(runs: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    for column, matter in (("dead", "in a cell marked as dead"), ("diverged", "marked as diverged")):
        if column in runs:
            yield matter, _numbers(runs, column) > 0
    if "train_loss" in runs:
        yield "train loss is not finite", ~np.isfinite(_numbers(runs, "train_loss"))


def _ratios(measured: Measurements) -> list[_Ratio]:
    """What is compared with which limit."""
    trace_limit = setting(measured.card, "relative_tolerance", "trace_tolerance")
    eigenvalue_limit = setting(measured.card, "eigenvalue_tolerance", "residual_tolerance") or EIGENVALUE_TOLERANCE
    ratios = []
    for suffix, side in (("", "train"), ("_test", "test")):
        trace, eigenvalue = f"hessian_trace{suffix}", f"hessian_top_eigenvalue{suffix}"
        said = f"standard error of the Hessian trace ({side}) above its tolerance"
        ratios.append(_Ratio(said, f"hessian_trace{suffix}_se", trace, trace_limit))
        said = f"residual of the top eigenvalue ({side}) above its tolerance"
        ratios.append(_Ratio(said, f"hessian_top_residual{suffix}", eigenvalue, eigenvalue_limit))
    return ratios


def _notes(runs: pd.DataFrame, matter: str, values: pd.Series | None, limit: float | None) -> list[RunNote]:
    numbers = [None] * len(runs) if values is None else [float(value) for value in values]
    return [
        RunNote(
            run_id=printable(run), cell_id=printable(cell), seed=int(seed), matter=matter, value=number, limit=limit
        )
        for run, cell, seed, number in zip(runs["run_id"], runs["cell_id"], runs["seed"], numbers, strict=True)
    ]


def _numbers(rows: pd.DataFrame, column: str) -> pd.Series:
    return pd.to_numeric(rows[column], errors="coerce").astype("float64")
