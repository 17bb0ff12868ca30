"""What a method knows of networks that nobody has seen: a memoriser loses its score, an honest method keeps it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from tests import zoos as tiny
from tests.evaluation.conftest import WriteMethod
from tests.evaluation.test_evaluator import GOOD
from tests.regrown import COMMITMENT, LOST, make_regrown_zoo
from tests.tasks.declared import tiny_tasks
from wslbench.bundled import bundled_path
from wslbench.cli import app
from wslbench.errors import RecipeError, ResultError, TaskError
from wslbench.evaluation import Settings, evaluate, read_record
from wslbench.evaluation.bubblewrap import obstacle
from wslbench.evaluation.floors import FLOORS
from wslbench.evaluation.verified_files import (
    Attestation,
    cards_in,
    gap_path,
    publish,
    read_card,
    read_gap,
    read_targets,
    refuse_disclosed,
    results_folder,
    targets_path,
)
from wslbench.evaluation.verifier import WAYS, Verification, verify_method
from wslbench.leaderboard import read_results
from wslbench.population.recipe_file import RECIPES_PATH
from wslbench.tasks import Task, load_tasks, prepare
from wslbench.tasks.regrown_problem import prepare_regrown, problems_from_targets
from wslbench.zoo import Zoo

PHASE = f"{tiny.NAME}.phase"

MEMORISER = """
import numpy as np

class Memoriser:
    '''Knows the answers of the public zoo by heart.'''
    def fit(self, models, target, context):
        self.classes = list(context.classes)
    def predict(self, models):
        known = [ANSWERS.get(round(float(m.tensors()["conv1.weight"].sum()), 4)) for m in models]
        p = np.full((len(known), len(self.classes)), 1e-3)
        for row, phase in zip(p, known):
            row[self.classes.index(phase) if phase else 0] = 1
        return p / p.sum(1, keepdims=True)

ANSWERS = """


@pytest.fixture(scope="module")
def public(built_tiny_zoo: Path) -> Zoo:
    return Zoo(built_tiny_zoo)


@pytest.fixture(scope="module")
def regrown(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return make_regrown_zoo(tmp_path_factory.mktemp("regrown") / "zoo")


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return tiny_tasks(tmp_path)[PHASE]


def test_the_same_cells_are_held_out_in_both_zoos(public: Zoo, regrown: Zoo, task: Task) -> None:
    problems = prepare_regrown(task, public, regrown)
    ordinary = prepare(task, public)
    runs = set(ordinary.table["run_id"]) - {f"{LOST}-seed{seed}" for seed in tiny.SEEDS}
    for problem, fitted, tested in zip(problems, (public, public, regrown), (public, regrown, regrown), strict=True):
        assert set(problem.table["run_id"]) == runs
        assert set(problem.table["model_id"]) <= set(tested.table.index)
        for fold in ordinary.folds:
            held_out = set(ordinary.test(fold)["cell_id"])
            assert set(problem.test(fold)["cell_id"]) == held_out - {LOST}
            train = problem.train(fold)
            assert set(train["model_id"]) <= set(fitted.table.index)
            left = {LOST} if fitted is regrown else set()
            assert set(train["cell_id"]) == set(ordinary.train(fold)["cell_id"]) - left
    assert not set(public.table.index) & set(regrown.table.index)
    assert len({problem.hashes for problem in problems}) == 3


def test_absent_phases_are_those_that_the_fitted_zoo_does_not_show(public: Zoo, regrown: Zoo, task: Task) -> None:
    for problem in prepare_regrown(task, public, regrown):
        for fold, absent in problem.absent.items():
            assert set(absent) == set(problem.classes) - set(problem.train(fold)["phase"])


def test_only_predictions_on_one_zoo_can_be_verified(public: Zoo, regrown: Zoo, tmp_path: Path) -> None:
    shipped = load_tasks()
    for id_ in ("digits-cnn.sharpness@new-zoo", *shipped.suites["generation"][:1]):
        with pytest.raises(TaskError, match="cannot be verified"):
            prepare_regrown(shipped[id_], public, regrown)
    with pytest.raises(TaskError, match="was not grown again"):
        verify_method(tmp_path / "none.py", [tiny_tasks(tmp_path)[PHASE]], {tiny.NAME: public}, {})


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda rows: rows.assign(phase="V"), "phases that do not exist"),
        (lambda rows: rows.assign(target="II"), "the target is not the phase"),
        (lambda rows: rows.assign(fold=0), "fold is another than in the public zoo"),
        (lambda rows: rows.assign(cell_id=rows["cell_id"].iloc[::-1].to_numpy()), "cell_id is another"),
        (lambda rows: rows.assign(run_id=rows["run_id"] + "-b"), "runs that the public zoo does not have"),
        (lambda rows: rows.assign(run_id=1), "a run stands there twice"),
        (lambda rows: rows.assign(run_id=range(len(rows))), "merge"),
        (lambda rows: rows.drop(columns="load"), "their columns are not"),
        (lambda rows: pd.concat([rows, rows.head(1)]), "stands there twice"),
    ],
)
def test_targets_are_of_the_public_zoos_runs(
    edit: Callable[[pd.DataFrame], pd.DataFrame], expected: str, public: Zoo, regrown: Zoo, task: Task
) -> None:
    targets = prepare_regrown(task, public, regrown).regrown.table
    problems_from_targets(task, public, targets, regrown.versions)
    with pytest.raises(TaskError, match=expected):
        problems_from_targets(task, public, edit(targets), regrown.versions)


def test_no_model_of_the_public_zoo_is_among_the_targets(public: Zoo, regrown: Zoo, tmp_path: Path) -> None:
    task = tiny_tasks(tmp_path)[f"{tiny.NAME}.loss-gap"]
    asked = prepare_regrown(task, public, regrown)
    with pytest.raises(TaskError, match="models of the public zoo"):
        problems_from_targets(task, public, asked.public.table, regrown.versions)
    twice = asked.regrown.table.assign(natural_target=asked.regrown.table["natural_target"] * 2)
    with pytest.raises(TaskError, match="not the transformed value"):
        problems_from_targets(task, public, twice, regrown.versions)


def _answers(zoo: Zoo) -> dict[float, str]:
    """What identifies each network of a zoo, and its phase."""
    table = zoo.table[zoo.table["measured"]]
    models = zoo.models(table.index)
    return {
        round(float(model.tensors()["conv1.weight"].sum()), 4): phase
        for model, phase in zip(models, table["phase"], strict=True)
    }


def test_a_memoriser_loses_its_score_and_an_honest_method_keeps_it(
    public: Zoo, regrown: Zoo, task: Task, write_method: WriteMethod, tmp_path: Path
) -> None:
    # Module level names of a method's file are its own source: here they are the answers.
    memoriser = write_method(MEMORISER + repr(_answers(public)), "memoriser.py")
    honest = write_method(GOOD.format(fit="pass"), "honest.py")

    def verified(method: Path) -> Verification:
        settings = Settings(isolation="process")
        zoos = {tiny.NAME: public}, {tiny.NAME: regrown}
        (found,) = verify_method(method, [task], *zoos, seeds=1, out=tmp_path / "out", settings=settings)
        return found

    cheat = verified(memoriser)
    attestation = Attestation(datetime.now(UTC), "Someone")
    zoos = {tiny.NAME: public}, {tiny.NAME: regrown}
    with pytest.raises(ResultError, match="ran in the tier process"):
        publish([cheat], *zoos, tmp_path / "out", tmp_path / "verified", attestation)
    assert not (tmp_path / "verified").exists()
    assert cheat.scores["public"].value == 1
    assert cheat.scores["regrown"].value <= 0.25
    assert cheat.gap.low is not None
    assert cheat.gap.low > 0
    fair = verified(honest)
    assert fair.gap.value == pytest.approx(0, abs=1e-9)
    assert fair.scores["regrown"].value > 0.5
    for way in WAYS:
        record = fair.records[way]
        assert (record.status, record.tier) == ("ok", "process")
        folder = tmp_path / "out" / way / "honest"
        predictions = pd.read_parquet(folder / f"{PHASE}.parquet")
        assert set(predictions["model_id"]) <= set((public if way == "public" else regrown).table.index)


@pytest.mark.skipif(obstacle() is not None, reason=str(obstacle()))
def test_the_command_marks_results_as_verified_where_the_sandbox_held(
    public: Zoo, regrown: Zoo, tmp_path: Path, write_method: WriteMethod, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = tiny_tasks(tmp_path)
    monkeypatch.setattr("wslbench.tasks.load_tasks", lambda: book)
    monkeypatch.setattr("wslbench.zoo.load_zoo", lambda name: public)
    command = importlib.import_module("wslbench.cli.verify")  # the name in the package is the function's
    monkeypatch.setattr(command, "_recipe_of", lambda zoo: None)
    monkeypatch.setattr(command, "_grown_again", lambda *_: regrown)
    honest, secret, out = write_method(GOOD.format(fit="pass"), "honest.py"), tmp_path / "secret", tmp_path / "out"
    secret.write_bytes(b"sixteen bytes or more")
    words = ["verify", str(honest), "--task", PHASE, "--seed-secret", str(secret), "--out", str(out), "--seeds", "1"]
    run = CliRunner(env={"COLUMNS": "160"})
    result = run.invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "tier verified" in result.output
    tiers = {way: read_record(out / way / "honest" / f"{PHASE}.json").tier for way in WAYS}
    assert tiers == {"public": "sandbox", "regrown": "verified", "refitted": "verified"}

    # Nothing is run again: what stands in the journals is taken into the folder.
    into = tmp_path / "verified"
    result = run.invoke(app, [*words, "--into", str(into), "--attested-by", "Someone", "--json"])
    assert result.exit_code == 0, result.output
    (printed,) = json.loads(result.stdout)
    assert (printed["task"], printed["method"], printed["tier"]) == (PHASE, "honest", "verified")
    assert printed["gap"]["value"] == pytest.approx(0, abs=1e-9)
    (path,) = cards_in(into)
    card = read_card(path)
    assert path.parent.name == f"{tiny.NAME}-{'c' * 12}"
    assert (card.attested_by, card.secret, list(card.targets)) == ("Someone", None, [PHASE])
    assert (card.public.weights, card.regrown.weights) == (public.versions["weights"], regrown.versions["weights"])
    kept = results_folder(path) / "honest" / f"{PHASE}.json"
    assert read_record(kept).tier == "verified"
    assert read_gap(gap_path(kept)).public.value == printed["scores"]["public"]["value"]
    asked = prepare_regrown(book[PHASE], public, regrown)
    again = problems_from_targets(book[PHASE], public, read_targets(targets_path(path, PHASE), card), regrown.versions)
    assert [problem.hashes for problem in again] == [problem.hashes for problem in asked[:2]]
    for told, problem in zip(again, asked, strict=False):
        pd.testing.assert_frame_equal(told.table, problem.table, check_dtype=False)
        assert (told.classes, told.folds, told.absent) == (problem.classes, problem.folds, problem.absent)

    content = json.loads(path.read_text()) | {"secret": "sixteen bytes or more"}
    path.write_text(json.dumps(content))
    with pytest.raises(ResultError, match="has been disclosed"):
        refuse_disclosed(into, tiny.NAME, COMMITMENT)


def test_the_command_refuses_before_anything_is_grown(tmp_path: Path, write_method: WriteMethod) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"short")
    command = ["verify", str(write_method(GOOD.format(fit="pass"))), "--seed-secret", str(secret)]
    unsigned = CliRunner().invoke(app, [*command, "--into", str(tmp_path / "verified")])
    assert unsigned.exit_code == 2
    assert "somebody has to stand for the secret" in unsigned.output
    assert isinstance(CliRunner().invoke(app, command).exception, RecipeError)
    secret.write_bytes(b"sixteen bytes or more")
    task = ["--task", "digits-cnn.sharpness@new-zoo", "--zoo-cache", str(tmp_path / "cache")]
    assert isinstance(CliRunner().invoke(app, [*command, *task]).exception, TaskError)
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
@pytest.mark.skipif(obstacle() is not None, reason=str(obstacle()))
def test_floors_are_verified_first_so_that_the_board_has_a_lift(
    public: Zoo, regrown: Zoo, tmp_path: Path, write_method: WriteMethod, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = tiny_tasks(tmp_path)
    monkeypatch.setattr("wslbench.tasks.load_tasks", lambda: book)
    monkeypatch.setattr("wslbench.zoo.load_zoo", lambda name: public)
    command = importlib.import_module("wslbench.cli.verify")
    monkeypatch.setattr(command, "_recipe_of", lambda zoo: None)
    monkeypatch.setattr(command, "_grown_again", lambda *_: regrown)
    honest, secret = write_method(GOOD.format(fit="pass"), "honest.py"), tmp_path / "secret"
    secret.write_bytes(b"sixteen bytes or more")
    words = ["verify", str(honest), "--task", PHASE, "--seed-secret", str(secret), "--out", str(tmp_path / "out")]
    words += ["--seeds", "1", "--floors", "--json", "--into", str(tmp_path / "verified"), "--attested-by", "Someone"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    printed = {each["method"]: each for each in json.loads(result.stdout)}
    assert list(printed) == [*FLOORS, "honest"]
    assert printed["honest"]["lift"]["regrown"]["value"] > 0
    # Public results of the same files: those of the verification, by the ordinary way.
    # Floors twice, as each is held against the others, which the first time are not there yet.
    floors = [bundled_path("baselines") / f"{name}.py" for name in FLOORS]
    for file in [*floors, *floors, honest]:
        beside = {"out": tmp_path / "results", "floors": tmp_path / "results"}
        evaluate(file, [PHASE], book=book, zoos={tiny.NAME: public}, seeds=1, **beside)
    found = read_results(
        [tmp_path / "results"], book, [book[PHASE]], lambda name: public, verified=tmp_path / "verified"
    )
    assert (found.problems, found.notes) == ([], [])
    verified = {entry.record.method.name: entry.verified for entry in found.tasks[0].entries}
    (card,) = cards_in(tmp_path / "verified")
    assert verified["honest"].record == read_record(results_folder(card) / "honest" / f"{PHASE}.json")
    assert verified["honest"].record.lift.value > 0
    assert verified["chance"].gap.value == 0
    assert not any(each.memorised for each in verified.values())


def test_a_suite_says_what_it_leaves_out_and_zoos_without_a_recipe_are_refused_before_the_first_is_grown(
    tmp_path: Path, write_method: WriteMethod, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown: list[str] = []
    command = importlib.import_module("wslbench.cli.verify")
    monkeypatch.setattr(command, "_grown_again", lambda recipe, *_: grown.append(recipe.name))
    monkeypatch.setattr("wslbench.population.recipe_file.RECIPES_PATH", tmp_path)
    (tmp_path / "digits-cnn.yaml").write_text((RECIPES_PATH / "digits-cnn.yaml").read_text())
    secret = tmp_path / "secret"
    secret.write_bytes(b"sixteen bytes or more")
    words = ["verify", str(write_method(GOOD.format(fit="pass"))), "--seed-secret", str(secret)]
    result = CliRunner().invoke(app, [*words, "--suite", "full"])
    assert isinstance(result.exception, RecipeError)
    assert "'convection-pinn' cannot be grown again: no recipe of its name" in str(result.exception)
    assert grown == []
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("left out")]
    told = line.partition(": ")[2].split(", ")
    assert told == [task for task in load_tasks().suites["full"] if "@new-zoo" in task or ".generate-" in task]
    assert len(told) > 10
    nothing = CliRunner().invoke(app, [*words, "--suite", "generation"])
    assert isinstance(nothing.exception, TaskError)
    assert "no task that can be verified" in str(nothing.exception)
