"""Benchmarks: our way against the obvious way, in the same run, in turn; what counts is the ratio.

Run with ``pytest tests/benchmarks --benchmark-only``. Nothing here asserts a time.
"""

import statistics
import time
from collections.abc import Callable

import pytest
import torch

RATIOS: list[tuple[str, float, float]] = []
REPORTS: dict[str, list[str]] = {}  # other tables, by heading


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def against(benchmark, request):
    """``against(ours, obvious)``: time both in turn and report obvious / ours, medians of both."""

    def compare(ours: Callable[[], object], obvious: Callable[[], object], rounds: int = 5) -> None:
        ours()  # warm up
        theirs: list[float] = []

        def before_each_round() -> None:
            start = time.perf_counter()
            obvious()
            theirs.append(time.perf_counter() - start)

        benchmark.pedantic(ours, setup=before_each_round, rounds=rounds)
        median = statistics.median(theirs)
        mine = benchmark.stats.stats.median
        benchmark.extra_info["obvious_seconds"] = median
        benchmark.extra_info["ratio"] = median / mine
        RATIOS.append((request.node.name, mine, median))

    return compare


def pytest_terminal_summary(terminalreporter):
    """A line a benchmark: seconds of ours, of the obvious way, and their ratio; then other tables."""
    if RATIOS:
        terminalreporter.section("ours against the obvious way (medians)")
        for name, mine, theirs in RATIOS:
            terminalreporter.write_line(f"{name:58s} {mine:9.4f} s {theirs:9.4f} s   {theirs / mine:6.1f}×")
    for heading, lines in REPORTS.items():
        terminalreporter.section(heading)
        for line in lines:
            terminalreporter.write_line(line)
