"""The audit: methods that are blind to a symmetry lose nothing under it, others do, and both is said in numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluation.conftest import WriteMethod
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench import symmetry
from wslbench.errors import ResultError, UnknownTaskError, WslbenchError
from wslbench.evaluation import AuditRecord, Progress, Settings, audit, evaluate
from wslbench.evaluation.audit_files import read_audit
from wslbench.evaluation.unit import DISGUISES
from wslbench.leaderboard import make_boards, read_results, render_markdown
from wslbench.leaderboard.rows import table_rows
from wslbench.zoo import load_zoo

PHASE, LOSS = f"{NAME}.phase", f"{NAME}.train-loss"
METHOD = """
import numpy as np

class Reader:
    '''Reads one number of each model.'''
    def fit(self, models, target, context):
        self.classes = list(context.classes)
        x = self.read(models)
        if self.classes:
            self.centres = np.array([np.median(x[target == c]) if (target == c).any() else 9e9 for c in self.classes])
        else:
            self.line = np.polyfit(x, target, 1)
    def read(self, models):
        return np.array([{number} for t in (m.tensors() for m in models)])
    def predict(self, models):
        x = self.read(models)
        if not self.classes:
            return np.polyval(self.line, x)
        p = 1e-3 + np.eye(len(self.classes))[np.abs(x[:, None] - self.centres).argmin(1)]
        return p / p.sum(1, keepdims=True)
"""
SPREAD_OF_KERNELS = 't["conv3.weight"].std(dtype=float)'  # units in any order; not at any scale
READ_OUT = 't["fc.bias"].mean(dtype=float)'  # no symmetry touches it
ONE_WEIGHT = 't["conv2.weight"][0, 0, 0, 0]'  # sees everything


@pytest.fixture
def run(built_tiny_zoo: Path, tmp_path: Path):
    """Audit on the tiny zoo."""
    book = tiny_tasks(tmp_path)

    def audit_here(method: str | Path, task: str | None = PHASE, **options: Any) -> AuditRecord:
        options = {"draws": 2, "out": tmp_path / "out", "book": book, "zoos": {NAME: built_tiny_zoo}} | options
        return audit(method, task, **options)

    return audit_here


def source(number: str) -> str:
    return METHOD.replace("{number}", number)


@pytest.mark.parametrize("task", [PHASE, LOSS])
def test_who_is_blind_to_what(run, write_method: WriteMethod, task: str) -> None:
    blind = run(write_method(source(READ_OUT), "blind.py"), task)
    for found in (blind.permutation, blind.scaling):
        assert (found.score_drop, found.low, found.high) == (0, 0, 0)
        assert found.spread < 1e-12
    half = run(write_method(source(SPREAD_OF_KERNELS), "half.py"), task)
    assert half.permutation.score_drop == pytest.approx(0, abs=1e-9)
    assert half.permutation.spread < 1e-6
    assert half.scaling.spread > 0.01
    assert half.scaling.low <= half.scaling.score_drop <= half.scaling.high
    assert half.scaling.score_drop == pytest.approx(half.score.value - half.scaling.score.value)
    seeing = run(write_method(source(ONE_WEIGHT), "seeing.py"), task)
    assert seeing.permutation.spread > 0.001
    assert seeing.scaling.spread > 0.001


def test_scores_before_are_those_of_an_evaluation(run, write_method: WriteMethod, built_tiny_zoo, tmp_path) -> None:
    method = write_method(source(SPREAD_OF_KERNELS))
    record = run(method, LOSS)
    (evaluated,) = evaluate(method, (LOSS,), seeds=1, out=tmp_path / "evaluated", book=tiny_tasks(tmp_path),
                            zoos={NAME: built_tiny_zoo})  # fmt: skip
    before = evaluated.metrics[record.metric]
    assert (record.score.value, record.score.low, record.score.high) == (before.value, before.low, before.high)


def test_disguises_keep_functions_ids_and_order(built_tiny_zoo: Path) -> None:
    models = load_zoo(built_tiny_zoo).models()[::7]
    disguised = symmetry.disguise(models, seed=3)
    assert list(disguised.ids) == list(models.ids)
    for before, after in zip(models, disguised, strict=True):
        inputs = before.architecture.example_input(4)
        expected = before.module()(inputs).detach().numpy()
        np.testing.assert_allclose(after.module()(inputs).detach().numpy(), expected, rtol=1e-4,
                                   atol=1e-5 * np.abs(expected).max())  # fmt: skip
        assert not np.array_equal(before.tensors()["conv2.weight"], after.tensors()["conv2.weight"])
    again = symmetry.disguise(models, seed=3)[2].tensors()["conv2.weight"]
    np.testing.assert_array_equal(disguised[2].tensors()["conv2.weight"], again)


def test_the_record_is_written_and_finished_units_are_kept(run, write_method: WriteMethod, tmp_path: Path) -> None:
    method = write_method(source(ONE_WEIGHT), "seeing.py")
    first = run(method, seeds=2)
    path = tmp_path / "out" / "seeing" / "audit" / f"{PHASE}.json"
    assert read_audit(path) == first
    content = json.loads(path.read_text())
    for kind in DISGUISES:
        assert isinstance(content[kind]["score_drop"], float)
        assert isinstance(content[kind]["spread"], float)
    assert str(tmp_path) not in path.read_text()
    seen: list[Progress] = []
    second = run(method, seeds=2, on_progress=seen.append)
    assert seen[0].kept == seen[0].total == 2 * 5
    assert second.model_copy(update={"created": first.created}) == first
    run(method, seeds=2, draws=3, on_progress=seen.append)  # another question: nothing to keep
    assert seen[-1].kept == 0


def test_numbers_do_not_depend_on_jobs(run, write_method: WriteMethod, tmp_path: Path) -> None:
    method = write_method(source(ONE_WEIGHT))
    one, three = (run(method, out=tmp_path / str(jobs), settings=Settings(jobs=jobs)) for jobs in (1, 3))
    assert one.model_copy(update={"created": three.created}) == three


def test_a_failure_is_recorded_without_numbers(run, write_method: WriteMethod) -> None:
    record = run(write_method(source(READ_OUT).replace("np.polyfit", "np.nothing"), "broken.py"), LOSS)
    assert (record.status, record.permutation, record.scaling) == ("fit_error", None, None)
    assert "nothing" in record.message


def test_what_cannot_be_audited(run, write_method: WriteMethod) -> None:
    method = write_method(source(READ_OUT))
    with pytest.raises(WslbenchError, match="number of draws is 0"):
        run(method, draws=0)
    with pytest.raises(UnknownTaskError):
        run(method, "tiny-cnn.nothing")


@pytest.fixture
def board(run, write_method: WriteMethod, built_tiny_zoo: Path, tmp_path: Path):
    """An evaluated and audited method's results folder, and how to read it."""
    method, book, zoo = (
        write_method(source(SPREAD_OF_KERNELS), "half.py"),
        tiny_tasks(tmp_path),
        load_zoo(built_tiny_zoo),
    )
    run(method)
    evaluate(method, (PHASE,), seeds=1, out=tmp_path / "out", book=book, zoos={NAME: zoo})
    return tmp_path / "out", lambda: read_results([tmp_path / "out"], book, [book[PHASE]], lambda name: zoo)


def test_the_audit_is_a_column_of_the_table(board) -> None:
    folder, read = board
    results = read()
    assert results.problems == []
    (shown,) = make_boards(results)
    audited = read_audit(folder / "half" / "audit" / f"{PHASE}.json")
    assert shown.audits == {"half": audited}
    row = next(row for row in table_rows(shown.records, None, shown.audits) if row.name == "half")
    assert row.audit == audited
    page = render_markdown([shown], [], None)
    assert f"{audited.permutation.score_drop:.3f} · {audited.scaling.score_drop:.3f}" in page.replace("-0.000", "0.000")


def test_a_stale_or_broken_audit_is_named_and_not_shown(board) -> None:
    folder, read = board
    path = folder / "half" / "audit" / f"{PHASE}.json"
    content = json.loads(path.read_text())
    content["provenance"]["method"] = "another"
    path.write_text(json.dumps(content))
    results = read()
    assert [entry.audit for entry in results.tasks[0].entries] == [None]
    assert "stale: it was made with another method; audit the method again" in results.problems[0]
    path.write_text("{}")
    with pytest.raises(ResultError, match="not a record of this version: method: Field required"):
        read_audit(path)
    assert "is not a record of this version" in read().problems[0]
