"""A generator from its file to its record: asked, judged, scored, resumed, read again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.evaluation.generators.conftest import NAME, Seeds
from tests.evaluation.test_bubblewrap import WORKS
from wslbench.errors import MethodError, ResultError
from wslbench.evaluation import Limits, Settings, evaluate
from wslbench.evaluation.generators import reference as references
from wslbench.evaluation.generators.scoring import METRICS_OF_DRAWS
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.evaluation.tier import Tier
from wslbench.generation import disagreement
from wslbench.generation import judge as judges
from wslbench.leaderboard import read_results
from wslbench.leaderboard.generation_plot import draw_generation

HEAD = """
import itertools, time
import numpy as np, torch

class Method:
    "Made up."
    {more}
    def fit(self, models, phases, context):
        assert context.target_phase in context.classes and set(phases) <= set(context.classes)
        assert context.hyperparameters is None and len(models) == len(phases) == len(context.groups)
        self.phases, self.models = phases, models[np.flatnonzero(phases == context.target_phase)]
        (stack,) = self.models.by_architecture()
        self.tensors = {{name: torch.tensor(stack[name]) for name in stack.keys()}}
    def generate(self, count, context):
        rows = torch.arange(count) % len(self.models)
        drawn = {{name: values[rows].clone() for name, values in self.tensors.items()}}
        first = next(iter(drawn))
{generate}
"""
COPIES = "return drawn"
AS_STATE_DICTS = "return [self.models[int(row)].state_dict() for row in rows]"


@pytest.fixture(autouse=True)
def comparators_of_the_tiny_zoo(seeds: Seeds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "bundled_path", lambda name: seeds.comparators)


def run(
    tiny: Seeds, folder: Path, generate: str, more: str = "pass", name: str = "made_up", **options: Any
) -> ResultRecord:
    path = folder / f"{name}.py"
    lines = "".join(f"        {line}\n" for line in generate.splitlines())
    path.write_text(HEAD.format(more=more, generate=lines))
    limits, isolation = Limits(options.pop("seconds", 60.0)), options.pop("isolation", "process")
    settings = Settings(jobs=1, limits=limits, isolation=isolation)
    options = {"seeds": 1, "out": folder / "runs", "settings": settings, "book": tiny.book} | options
    (record,) = evaluate(path, suite="generation", zoos={NAME: tiny.zoo}, **options)
    return record


@pytest.fixture(scope="module")
def copies(seeds: Seeds, tmp_path_factory: pytest.TempPathFactory) -> tuple[ResultRecord, Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(references, "bundled_path", lambda name: seeds.comparators)
        folder = tmp_path_factory.mktemp("copies")
        return run(seeds, folder, COPIES), folder


def test_copies_are_judged_as_copies(copies: tuple[ResultRecord, Path], seeds: Seeds) -> None:
    record, _ = copies
    assert (record.status, record.task.kind, record.task.headline) == ("ok", "weight_generation", "lift")
    assert set(record.metrics) == set(METRICS_OF_DRAWS)
    assert record.metrics["novelty"].value == 0
    assert record.metrics["weight_distance"].value == pytest.approx(0, abs=1e-5)
    stored = seeds.zoo.table["test_accuracy"]
    assert stored.min() <= record.metrics["accuracy"].value <= stored.max()
    assert record.lift is not None
    assert record.lift.low <= 0.05
    assert record.metrics["error_overlap"].value == 1
    assert {"retrieval"} <= set(record.floors)
    assert record.ceilings["held_out_networks"]["lift"].value == pytest.approx(1)
    assert "Track: weights only." in record.warnings


def test_every_metric_follows_from_the_table_beside_the_record(
    copies: tuple[ResultRecord, Path], seeds: Seeds, tmp_path: Path
) -> None:
    record, folder = copies
    found = read_results([folder / "runs"], seeds.book, [seeds.book[seeds.task]], lambda name: seeds.zoo)
    assert found.problems == []
    (entry,) = found.tasks[0].entries
    table = pd.read_parquet(folder / "runs" / "made_up" / f"{seeds.task}.parquet")
    assert len(table) == 64
    classes = np.array([[int(sign) for sign in text] for text in table["classes"]])
    labels = seeds.reference.judge.labels
    assert record.metrics["accuracy"].value == pytest.approx((classes == labels).mean())
    nearest = disagreement(classes, seeds.reference.judge.train_classes).min(axis=1)
    assert (nearest == 0).all()
    assert entry.draws[0] == pytest.approx(record.metrics["lift"].value)
    assert entry.record.metrics["accuracy"].value == pytest.approx((classes == labels).mean())
    # A polished number, or a polished table, does not stand.
    shutil.copytree(folder / "runs", tmp_path / "runs")
    path = tmp_path / "runs" / "made_up" / f"{seeds.task}.json"
    doctored = json.loads(path.read_text())
    doctored["metrics"]["novelty"]["value"] = 1.0
    path.write_text(json.dumps(doctored))
    assert (
        "does not follow"
        in read_results([tmp_path / "runs"], seeds.book, [seeds.book[seeds.task]], lambda n: seeds.zoo).problems[0]
    )
    table.assign(accuracy_finetuned_5=1.0).to_parquet(path.with_suffix(".parquet"))
    assert (
        "not those"
        in read_results([tmp_path / "runs"], seeds.book, [seeds.book[seeds.task]], lambda n: seeds.zoo).problems[0]
    )


def test_state_dicts_are_the_same_as_stacks_and_the_journal_is_gone_on_with(
    copies: tuple[ResultRecord, Path], seeds: Seeds, tmp_path: Path
) -> None:
    first = run(seeds, tmp_path, AS_STATE_DICTS)
    assert first.metrics == copies[0].metrics
    seen = []
    again = run(seeds, tmp_path, AS_STATE_DICTS, on_progress=seen.append)
    assert again.metrics == first.metrics
    assert seen[0].kept == 1


def test_an_interrupt_does_not_wait_for_a_draw_to_be_judged(
    seeds: Seeds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def long_fine_tuning(stack: Any, objective: Any, name: str, progress: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(600):
            time.sleep(0.1)
            looked.append(name)
            progress(1 / 600)

    monkeypatch.setattr(judges, "quality", long_fine_tuning)
    with pytest.raises(KeyboardInterrupt):
        run(seeds, tmp_path, COPIES)
    assert 0 < len(looked) < 600
    assert list((tmp_path / "runs").rglob("*.json")) == []


def test_what_looks_up_is_called_all_along(seeds: Seeds) -> None:
    judge, calls = seeds.reference.judge, []
    draw = judge.initialised("draw", 8)
    judge.judge(draw, "draw", look_up=lambda: calls.append("judging"))
    assert len(calls) > 5  # epochs of fine-tuning; then curves
    judge.judge(draw, "draw", with_phase=False, look_up=lambda: calls.append("fine-tuning"))
    assert calls.count("judging") > calls.count("fine-tuning") == 5


@pytest.mark.parametrize(
    ("generate", "status", "words"),
    [
        ("return {name: values[1:] for name, values in drawn.items()}", "wrong_draw", "and returned 63"),
        ("return itertools.repeat({name: values[0] for name, values in drawn.items()})", "wrong_draw", "at least 65"),
        ("drawn['other'] = drawn.pop(first)\nreturn drawn", "wrong_draw", "lack conv1.weight and hold other"),
        ("drawn[first] = drawn[first][..., :1]\nreturn drawn", "wrong_draw", "conv1.weight came as"),
        ("drawn[first][3] = float('nan')\nreturn drawn", "not_finite", "in 1 of 64 networks"),
        ("drawn[first][3] = float('inf')\nreturn drawn", "not_finite", "in 1 of 64 networks"),
        ("return None", "wrong_draw", "NoneType"),
        ("return [{first: 'weights'}] * count", "wrong_draw", "holds no weights"),
        ("1 / 0", "generate_error", "ZeroDivisionError"),
        ("while True: time.sleep(0.1)", "timeout", "more than the 3 s"),
        pytest.param(
            "return (time.sleep(0.1) for _ in itertools.count() if False)", "timeout", "more than the 3 s",
            marks=pytest.mark.slow,
        ),
        ("from sklearn.datasets import load_digits\nload_digits()", "generate_error", "track with data"),
        ("import wslbench\nwslbench.load_zoo('digits-cnn')", "generate_error", "SealedError"),
    ],
)  # fmt: skip
def test_what_is_no_draw_is_a_typed_failure(
    seeds: Seeds, tmp_path: Path, generate: str, status: str, words: str
) -> None:
    record = run(seeds, tmp_path, generate, seconds=3.0, seeds=2)
    assert record.status == status
    assert words in record.units[0].message
    assert record.metrics["lift"].value is None
    assert record.failed_share == 1
    assert len(record.units) == 2


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["process", pytest.param("sandbox", marks=WORKS)])
def test_data_are_seen_in_the_track_that_says_so(seeds: Seeds, tmp_path: Path, isolation: Tier) -> None:
    generate = "from sklearn.datasets import load_digits\nassert len(load_digits().data)\nreturn drawn"
    record = run(seeds, tmp_path, generate, more="privilege = 'data'", isolation=isolation)
    assert (record.status, record.tier) == ("ok", isolation)
    assert record.method.privilege == "data"
    assert "Track: with data." in record.warnings
    assert any(name.endswith("fine-tuned") for name in record.floors)


def test_a_generator_that_does_not_take_the_architecture_says_so(seeds: Seeds, tmp_path: Path) -> None:
    record = run(seeds, tmp_path, COPIES, more="def supports(self, architecture): return 'too wide'")
    assert record.coverage == 0
    assert any("too wide" in warning for warning in record.warnings)


def test_predictors_and_generators_are_not_taken_for_each_other(seeds: Seeds, tmp_path: Path) -> None:
    path = tmp_path / "method.py"
    path.write_text("class M:\n    def fit(self, m, t, c): ...\n    def predict(self, m): ...\n")
    with pytest.raises(MethodError, match=r"generate\(self, count, context\)"):
        evaluate(path, [seeds.task], out=tmp_path / "runs", book=seeds.book, zoos={NAME: seeds.zoo})
    path.write_text("class M:\n    def fit(self, m, t, c): ...\n    def generate(self, n, c): ...\n")
    with pytest.raises(MethodError, match=r"predict\(self, models\)"):
        evaluate(path, ["digits-cnn.phase"], out=tmp_path / "runs")
    path.write_text(
        "class M:\n    privilege = 'data'\n    def fit(self, m, t, c): ...\n    def predict(self, m): ...\n"
    )
    with pytest.raises(MethodError, match=r"privilege 'data', which digits-cnn\.phase does not know"):
        evaluate(path, ["digits-cnn.phase"], out=tmp_path / "runs")


def test_missing_or_stale_comparators_are_named(seeds: Seeds, tmp_path: Path) -> None:
    path = tmp_path / f"{seeds.task}.json"
    lonely = references.Reference(seeds.reference.problem, tmp_path)
    with pytest.raises(ResultError, match="There are no comparators"):
        lonely.scale("weights only")
    content = json.loads((seeds.comparators / path.name).read_text())
    path.write_text(json.dumps(content | {"weights": "other"}))
    with pytest.raises(ResultError, match="of another weights"):
        lonely.scale("weights only")
    path.write_text(json.dumps(content)[:100])
    with pytest.raises(ResultError, match="cannot be read"):
        lonely.scale("weights only")


def test_a_draw_is_drawn_with_what_it_is_held_against(
    copies: tuple[ResultRecord, Path], seeds: Seeds, tmp_path: Path
) -> None:
    folder = copies[1] / "runs"
    found = read_results([folder], seeds.book, [seeds.book[seeds.task]], lambda name: seeds.zoo)
    out = tmp_path / "picture.svg"
    assert draw_generation(found.tasks, [folder], {NAME: seeds.zoo}, out) == [seeds.task]
    picture = out.read_text()
    assert picture.count("made_up") == 1
    for words in (seeds.task, "held-out real networks", "envelope", "functional novelty"):
        assert words in picture
    nothing = read_results([tmp_path], seeds.book, [seeds.book[seeds.task]], lambda name: seeds.zoo)
    with pytest.raises(ResultError, match="no result of a generation task"):
        draw_generation(nothing.tasks, [tmp_path], {NAME: seeds.zoo}, out)
