"""Work on up to 100,000 checkpoints: how time and memory grow with their number, and with the size of networks.

Processor time has to grow in proportion: the exponent of a power law through the sizes is printed. Memory must not grow
with the weights: the same number of checkpoints with 13 times the weights takes the same. What it grows by with the
number of checkpoints is what is known of each, its row in tables, which is told apart and limited. Sizes are set by
``WSLBENCH_SCALE``, the largest (100000): its half, quarter and eighth are measured, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.benchmarks.conftest import REPORTS
from tests.benchmarks.scale_steps import STEPS, Measured, measuring
from wslbench.population.synthetic_zoo import WIDTHS, synthesise_zoo

LARGEST = int(os.environ.get("WSLBENCH_SCALE", "100000"))
SIZES = tuple(LARGEST // part for part in (8, 4, 2, 1))
WIDE = (8, 12, 16, 20)
ROOT = Path(__file__).parents[2]

# Bytes of anonymous memory that one more checkpoint may cost: a row of 29 columns, ids and predictions, and of the
# bootstrap 8 kB a cell of five.
PER_CHECKPOINT = {
    "synthesising": 3000,
    "opening": 2500,
    "sampling": 500,
    "statistics": 500,
    "verifying": 3000,
    "evaluating": 6000,
    "evaluating_numbers": 6000,
}
METHOD_PER_CHECKPOINT = 1000
SLACK = 64e6  # of a step, whatever the number and size of networks: blocks, and what is not given back at once


class Scaled(NamedTuple):
    """A synthetic zoo, and what writing it took."""

    path: Path
    checkpoints: int
    written: Measured


@pytest.fixture(scope="module")
def zoos(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Scaled]:
    """Of each size, and of the smallest number with larger networks."""
    folder = tmp_path_factory.mktemp("scale")
    wanted = {str(size): (size, WIDTHS) for size in SIZES} | {"wide": (SIZES[0], WIDE)}
    return {name: _made(folder / name, *arguments) for name, arguments in wanted.items()}


def _made(path: Path, checkpoints: int, widths: tuple[int, ...]) -> Scaled:
    with measuring() as written:
        synthesise_zoo(path, checkpoints, widths=widths)
    return Scaled(path, checkpoints, written)


def _measure(step: str, zoo: Scaled) -> Measured:
    """In a fresh process, so that no step profits from what another has left in memory."""
    command = [sys.executable, "-m", "tests.benchmarks.scale_steps", step, str(zoo.path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    measured: Measured = json.loads(told.stdout.splitlines()[-1])
    return measured


def _exponent(sizes: list[int], values: list[float]) -> float:
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def test_writing(benchmark: Any, zoos: Mapping[str, Scaled]) -> None:
    benchmark.pedantic(lambda: None, rounds=1)
    _judge("synthesising", [zoos[str(size)].written for size in SIZES], zoos["wide"].written)


@pytest.mark.parametrize("step", STEPS)
def test_growth(benchmark: Any, zoos: Mapping[str, Scaled], step: str) -> None:
    found = [_measure(step, zoos[str(size)]) for size in SIZES]
    wide = benchmark.pedantic(_measure, args=(step, zoos["wide"]), rounds=1)
    _judge(step, found, wide)


def _judge(step: str, found: list[Measured], wide: Measured) -> None:
    """Print how a step grows, and refuse memory that grows with the weights, or by too much a checkpoint."""
    _report(step, [each["seconds"] for each in found], [each["bytes"] for each in found], wide["bytes"])
    limits = {"bytes": PER_CHECKPOINT[step]}
    if "method_bytes" in wide:
        _report(f"{step}: method", [], [each["method_bytes"] for each in found], wide["method_bytes"])
        limits["method_bytes"] = METHOD_PER_CHECKPOINT
    for name, limit in limits.items():
        assert wide[name] < found[0][name] + SLACK, f"{name} of {step} grow with the weights"
        assert found[-1][name] < found[0][name] + SLACK + limit * (SIZES[-1] - SIZES[0]), f"{name} of {step} grow"


def _report(what: str, seconds: list[float], memory: list[float], wide: float | None = None) -> None:
    if not REPORTS.setdefault("growth with the number of checkpoints", []):
        sizes = "".join(f"{size:>10,}" for size in SIZES)
        REPORTS["growth with the number of checkpoints"] += [
            f"{'':22s}{sizes}   seconds ~ n^k; MB ~ bytes a checkpoint; MB of {SIZES[0]:,} with larger networks"
        ]
    lines = REPORTS["growth with the number of checkpoints"]
    if seconds:
        shown = "".join(f"{value:10.2f}" for value in seconds)
        lines.append(f"{what:20s} s{shown}   k = {_exponent(list(SIZES), seconds):.2f}")
    if memory:
        shown = "".join(f"{value / 1e6:10.1f}" for value in memory)
        slope = (memory[-1] - memory[0]) / (SIZES[-1] - SIZES[0])
        lines.append(f"{what:19s} MB{shown}   {slope:6.0f} bytes a checkpoint; wide {(wide or 0) / 1e6:.1f}")
