"""What the sandbox costs: a unit that does nothing, and the suite ``quick``, against the tier ``process``.

The ratio is process over sandbox. What the tier promises: at least .67 for ``quick``, and less than .5 s for a unit.
"""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest

from wslbench.bundled import bundled_path
from wslbench.evaluation import Limits, Settings, bubblewrap, evaluate
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.sandbox import sandbox_for
from wslbench.evaluation.synthetic import synthetic_unit
from wslbench.evaluation.unit import run_unit

pytestmark = pytest.mark.skipif(bubblewrap.obstacle() is not None, reason=str(bubblewrap.obstacle()))

NOTHING = """
import numpy as np, torch

class Nothing:
    def fit(self, models, target, context): pass
    def predict(self, models): return np.zeros(len(models))
"""


def test_a_unit_that_does_nothing(against, tmp_path: Path):
    path = tmp_path / "nothing.py"
    path.write_text(NOTHING)
    method, unit = read_method_file(path), synthetic_unit("accuracy_prediction", "numbers")
    with Launcher(method.preload, sandbox=sandbox_for(method, 2**30)) as inside, Launcher(method.preload) as outside:
        for launcher in (inside, outside):
            run_unit(unit, method, launcher, Limits(), threading.Event())  # both have preloaded
        against(
            lambda: run_unit(unit, method, inside, Limits(), threading.Event()),
            lambda: run_unit(unit, method, outside, Limits(), threading.Event()),
            rounds=20,
        )


def test_the_suite_quick(against, tmp_path: Path):
    count = itertools.count()
    method = bundled_path("baselines") / "weight_statistics.py"

    def quick(isolation):
        out = tmp_path / str(next(count))
        records = evaluate(method, suite="quick", seeds=1, out=out, settings=Settings(isolation=isolation))
        assert {record.tier for record in records} == {isolation}

    against(lambda: quick("sandbox"), lambda: quick("process"), rounds=3)
