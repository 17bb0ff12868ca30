"""A task file against its zoos: everything that is wrong is named, where it stands, and what is right is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.zoos import NAME, make_tiny_zoo
from wslbench.errors import TaskError, ZooNotFoundError
from wslbench.tasks import FileFindings, validate_tasks
from wslbench.zoo import Zoo, load_zoo

PHASE = {"zoo": NAME, "target": "phase", "version": 1, "kind": "phase_classification", "column": "phase"}
ACCURACY = {"zoo": NAME, "target": "accuracy", "version": 1, "kind": "accuracy_prediction", "column": "test_accuracy"}
WORDS = {"label": "Label", "description": "Description."}
SPLIT = {"protocols": ["phase-stratified"]}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return make_tiny_zoo(tmp_path_factory.mktemp("validated") / NAME)


class Unaliased(yaml.SafeDumper):
    """Writes what stands twice twice: task files may not use aliases."""

    def ignore_aliases(self, data: object) -> bool:
        return True


@pytest.fixture
def validate(tmp_path: Path, zoo: Zoo) -> Callable[..., FileFindings]:
    """What is found in a file of these entries, over the tiny zoo alone."""

    def call(*entries: object, suites: object = None, **fields: object) -> FileFindings:
        content = {"format_version": 1, "default_protocol": "phase-stratified", "tasks": list(entries)}
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.dump({**content, "suites": suites or {}, **fields}, Dumper=Unaliased, sort_keys=False))
        return validate_tasks(path, open_tiny)

    def open_tiny(name: str) -> Zoo:
        if name != NAME:
            raise ZooNotFoundError(f"there is no zoo {name!r}")
        return zoo

    return call


def test_every_task_that_ships_can_be_asked() -> None:
    found = validate_tasks(None, load_zoo)
    assert (found.wrong, found.elsewhere) == (0, [])
    assert {"digits-cnn.phase", "digits-cnn.cka@new-zoo", "digits-cnn-seeds.generate-II"} <= {
        finding.task for finding in found.tasks
    }
    assert all(finding.summary for finding in found.tasks)


def test_a_task_that_fits_is_summed_up(validate: Callable[..., FileFindings]) -> None:
    found = validate(PHASE | SPLIT | WORDS, ACCURACY | SPLIT | WORDS | {"transform": "logit"})
    assert [(finding.task, finding.summary) for finding in found.tasks] == [
        (f"{NAME}.phase", "30 models, 5 folds, 5 classes"),
        (f"{NAME}.accuracy", "30 models, 5 folds"),
    ]


def test_every_task_of_an_entry_is_judged_by_itself(validate: Callable[..., FileFindings]) -> None:
    found = validate(PHASE | WORDS | {"protocols": ["phase-stratified", "old-load", "new-load"]})
    assert [bool(finding.problems) for finding in found.tasks] == [False, True, False]
    (problem,) = found.tasks[1].problems
    assert "tasks[0].protocols[1]: the zoo 'tiny-cnn' has no split 'old-load'; it has " in problem


def test_all_problems_are_named_not_only_the_first(validate: Callable[..., FileFindings]) -> None:
    found = validate(
        {**PHASE, **SPLIT, **WORDS, "kind": "phases"},
        {**ACCURACY, **SPLIT, **WORDS, "zoo": "nowhere"},
        {**ACCURACY, **WORDS, "column": "test_acuracy", "minus": "phase", "protocols": ["old-load"]},
        suites={"mine": [f"{NAME}.phase", f"{NAME}.nothing"]},
        format_version=2,
    )
    assert [finding.task for finding in found.tasks] == [
        f"{NAME}.phase",
        "nowhere.accuracy",
        f"{NAME}.accuracy@old-load",
    ]
    (kind,), (nowhere,), third = (finding.problems for finding in found.tasks)
    assert kind.startswith("mine.yaml, line 7, tasks[0].kind: ")
    assert nowhere == "mine.yaml, line 13, tasks[1].zoo: there is no zoo 'nowhere'."
    assert [problem.split(", ")[2].split(":")[0] for problem in third] == [
        "tasks[2].column",
        "tasks[2].minus",
        "tasks[2].protocols[0]",
    ]
    assert third[0].endswith("has no column 'test_acuracy'; did you mean 'test_accuracy'?")
    assert "holds no numbers" in third[1]
    assert any("format_version" in problem for problem in found.elsewhere)
    assert any("suites.mine[1]: there is no task 'tiny-cnn.nothing'" in problem for problem in found.elsewhere)
    assert len(found.elsewhere) == 2  # the suite's other member may well be the entry that is wrong
    assert found.wrong == 3


@pytest.mark.parametrize(
    ("transform", "column", "expected"),
    [
        ("logit", "hessian_trace", "takes fractions in [0, 1]"),
        ("log10", "mode_connectivity", "takes numbers above 0, and 30 of 30 values"),
    ],
)
def test_a_scale_that_does_not_fit_the_values_is_refused(
    transform: str, column: str, expected: str, validate: Callable[..., FileFindings]
) -> None:
    (finding,) = validate(ACCURACY | SPLIT | WORDS | {"transform": transform, "column": column}).tasks
    (problem,) = finding.problems
    assert "tasks[0].transform: " in problem
    assert expected in problem


def test_targets_that_do_not_vary_are_refused(validate: Callable[..., FileFindings]) -> None:
    (finding,) = validate(ACCURACY | SPLIT | WORDS | {"column": "batch_size"}).tasks
    assert "tasks[0].column: all models have the same value" in finding.problems[0]


def test_a_column_that_is_not_finite_everywhere_is_refused(
    validate: Callable[..., FileFindings], zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = zoo.table
    table.loc[table.index[table["measured"]][0], "cka"] = float("nan")
    monkeypatch.setattr(Zoo, "table", property(lambda _: pd.DataFrame(table)))
    (finding,) = validate(ACCURACY | SPLIT | WORDS | {"column": "cka"}).tasks
    assert "not finite for 1 of 30 models" in finding.problems[0]


def test_generators_need_their_phase_and_their_split(validate: Callable[..., FileFindings]) -> None:
    asked = {"zoo": NAME, "target": "generate-VI", "version": 1, "kind": "weight_generation", "column": "phase"}
    (finding,) = validate(asked | WORDS | {"phase": "VI", "protocols": ["within-cell-seeds"]}).tasks
    assert ["no split 'within-cell-seeds'" in problem for problem in finding.problems] == [True, False]
    assert "tasks[0].phase: the zoo 'tiny-cnn' has no cell in phase VI; it has I, II, III" in finding.problems[1]


def test_other_zoos_are_checked_as_well(validate: Callable[..., FileFindings]) -> None:
    found = validate(PHASE | WORDS | {"protocols": ["phase-stratified", "new-zoo"], "tested_on": "nowhere"})
    assert found.tasks[0].problems == ()
    assert "tasks[0].tested_on: there is no zoo 'nowhere'" in found.tasks[1].problems[0]


@pytest.mark.parametrize(
    "text", ["tasks: [\n", "", "- 1\n", "tasks: &a [*a]\n", "tasks: [1, null, {zoo: 3}]\nsuites: 5\n"]
)
def test_a_file_of_another_form_is_a_finding_and_not_a_crash(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    found = validate_tasks(path, load_zoo)
    assert found.elsewhere or found.wrong
    assert all(problem.startswith("mine.yaml, line ") for problem in found.elsewhere)


def test_an_absent_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no task file"):
        validate_tasks(tmp_path / "nowhere.yaml", load_zoo)
