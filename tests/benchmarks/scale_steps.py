"""One step of work on a synthetic zoo, in a process of its own: its processor time and its peak of anonymous memory.

``python -m tests.benchmarks.scale_steps STEP ZOO`` prints them as JSON. Anonymous memory is what a process holds
besides mapped files: a zoo's pages are the system's to drop, and do not count.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from wslbench import encodings
from wslbench.evaluation import Limits, Settings, evaluate
from wslbench.evaluation.limits import anonymous_bytes
from wslbench.tasks import load_tasks
from wslbench.zoo import Zoo, verify

Measured = dict[str, float]

TASK = """
format_version: 1
default_protocol: phase-stratified
suites: {{}}
tasks:
  - {{zoo: {zoo}, target: phase, version: 1, kind: phase_classification, column: phase, protocols: [phase-stratified],
     label: Phase, description: The phase that was made up for the model's cell.}}
  - {{zoo: {zoo}, target: test-accuracy, version: 1, kind: accuracy_prediction, column: test_accuracy, transform: logit,
     protocols: [phase-stratified], label: Test accuracy, description: An accuracy that was made up.}}
"""

# Cheap, so that what is measured is the evaluator: one tensor, read in blocks, and nothing kept of it.
METHOD = '''
import numpy as np

class ReadOutScale:
    """The phase whose networks have the nearest scale of the read-out, on average; a number by a line through it."""
    def fit(self, models, target, context):
        scale, self.classes = self.scale(models), context.classes
        if not self.classes:
            self.line = np.polyfit(scale, target, 1)
        self.scales = np.array([scale[target == phase].mean() for phase in context.classes])
    def predict(self, models):
        if not self.classes:
            return np.polyval(self.line, self.scale(models))
        likely = np.exp(-100 * (self.scale(models)[:, None] - self.scales) ** 2) + 1e-9
        return likely / likely.sum(axis=1, keepdims=True)
    def scale(self, models):
        scale = np.empty(len(models))
        for stack in models.by_architecture():
            blocks = [block.std(axis=(1, 2)) for block in stack.blocks("fc.weight")]
            scale[stack.positions] = np.concatenate(blocks)
        return scale
'''


@contextmanager
def measuring() -> Iterator[Measured]:
    """Seconds of processors, and bytes of anonymous memory at the peak beyond those at the start, seen every 5 ms.

    Processes that were started and have ended count by their time; what else the machine does meanwhile does not.
    """
    process, measured, over = psutil.Process(), Measured(), threading.Event()
    before = peak = anonymous_bytes(process)

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.005):
            peak = max(peak, anonymous_bytes(process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = sum(os.times()[:4])
    try:
        yield measured
    finally:
        measured["seconds"] = sum(os.times()[:4]) - start
        over.set()
        watcher.join()
        measured["bytes"] = max(peak, anonymous_bytes(process)) - before


def opening(path: Path) -> Measured:
    """Open the zoo, read and check its table, select everything."""
    with measuring() as measured:
        Zoo(path).models()
    return measured


def sampling(path: Path) -> Measured:
    """One layer of 1,000 random networks, of a zoo that is open."""
    models = Zoo(path).models()
    chosen = np.random.default_rng(0).choice(len(models), min(1000, len(models)), replace=False)
    with measuring() as measured:
        for stack in models[chosen].by_architecture():
            stack["conv3.weight"].mean()
    return measured


def statistics(path: Path) -> Measured:
    """Statistics of all weights, of a zoo that is open; without the table that comes of it."""
    models = Zoo(path).models()
    encodings.statistics(models[:10])  # what it imports is no part of it
    with measuring() as measured:
        table = encodings.statistics(models)
    measured["bytes"] -= table.to_numpy().nbytes
    return measured


def verifying(path: Path) -> Measured:
    """Hash everything again."""
    with measuring() as measured:
        assert verify(Zoo(path)) == []
    return measured


def evaluating(path: Path) -> Measured:
    """Evaluate a cheap method on phases: five folds, one at a time, scores and intervals included."""
    return _evaluating(path, "phase")


def evaluating_numbers(path: Path) -> Measured:
    """The same on a number: its score is a rank correlation, of every resample."""
    return _evaluating(path, "test-accuracy")


def _evaluating(path: Path, target: str) -> Measured:
    zoo = Zoo(path)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tasks.yaml").write_text(TASK.format(zoo=zoo.name))
        (Path(folder) / "method.py").write_text(METHOD)
        book = load_tasks(Path(folder) / "tasks.yaml")
        with measuring() as measured:
            (record,) = evaluate(
                Path(folder) / "method.py",
                [f"{zoo.name}.{target}"],
                seeds=1,
                out=Path(folder) / "out",
                settings=Settings(jobs=1, limits=Limits(seconds=3600)),
                book=book,
                zoos={zoo.name: zoo},
            )
    assert record.status == "ok", record.units
    measured["method_bytes"] = float(record.cost.peak_memory_bytes or 0)
    return measured


STEPS: dict[str, Callable[[Path], Measured]] = {
    step.__name__: step for step in (opening, sampling, statistics, verifying, evaluating, evaluating_numbers)
}

if __name__ == "__main__":
    print(json.dumps(STEPS[sys.argv[1]](Path(sys.argv[2]))))
