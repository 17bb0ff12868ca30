"""The tasks that ship, and what a wrong task file or a wrong name says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wslbench.bundled import bundled_path
from wslbench.errors import TaskError, UnknownTaskError
from wslbench.tasks import load_tasks

SHIPPED = bundled_path("tasks.yaml").read_text()


def broken(tmp_path: Path, old: str, new: str) -> str:
    """The message for the shipped file with one edit."""
    assert old in SHIPPED
    path = tmp_path / "tasks.yaml"
    path.write_text(SHIPPED.replace(old, new, 1))
    with pytest.raises(TaskError) as caught:
        load_tasks(path)
    return str(caught.value)


def line_of(text: str) -> int:
    return next(number for number, line in enumerate(SHIPPED.splitlines(), 1) if text in line)


def test_the_shipped_tasks_are_the_targets_of_both_zoos_under_every_protocol() -> None:
    """Every order parameter among them; a phase cannot be asked for where it is never shown."""
    book = load_tasks()
    parameters = ("train-loss", "sharpness", "top-eigenvalue", "mode-connectivity", "cka")
    targets = {
        "digits-cnn": ("phase", "test-accuracy", "loss-gap", *parameters),
        "convection-pinn": ("phase", "error", *parameters),
    }
    protocols = {"": "phase-stratified"} | {f"@{name}": name for name in ("new-load", "new-temperature", "new-phase")}
    assert set(book.tasks) == {
        f"{zoo}.{target}{suffix}"
        for zoo, asked in targets.items()
        for target in asked
        for suffix in protocols
        if (target, suffix) != ("phase", "@new-phase")
    } | {f"{zoo}.{target}@new-zoo" for zoo in targets for target in ("phase", *parameters)} | {
        f"digits-cnn-seeds.generate-{phase}" for phase in ("I", "II", "III")
    }
    for task in book.select(suite="generation"):
        assert (task.protocol, task.headline, task.target) == ("within-cell-seeds", "lift", f"generate-{task.phase}")
    for task_id, task in book.tasks.items():
        if task.kind == "weight_generation":
            continue
        assert task.protocol == (task_id.partition("@")[2] or "phase-stratified")
        other = {*targets} - {task.zoo}
        assert task.zoos == (task.zoo, *(other if task.protocol == "new-zoo" else ()))
        assert task.headline == ("balanced_accuracy" if task.target == "phase" else "kendall_tau")
    assert book.suites["quick"] == ("digits-cnn.phase", "digits-cnn.test-accuracy")
    assert set(book.suites["full"]) == set(book.tasks)
    assert set(book.suites["default"]) < set(book.tasks)


def test_selection_keeps_order_and_takes_each_task_once() -> None:
    book = load_tasks()
    chosen = book.select(task=["digits-cnn.sharpness", "digits-cnn.phase"], suite="quick")
    assert [task.id for task in chosen] == ["digits-cnn.sharpness", "digits-cnn.phase", "digits-cnn.test-accuracy"]
    assert [task.id for task in book.select()] == list(book.tasks)
    assert [task.id for task in book.select("digits-cnn.phase")] == ["digits-cnn.phase"]


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownTaskError, match=r"digits-cnn\.phase"):
        load_tasks().select("digits-cnn.phases")
    with pytest.raises(UnknownTaskError, match="tasks list"):
        load_tasks().select("qqq")
    with pytest.raises(UnknownTaskError, match="quick, default"):
        load_tasks().select(suite="quik")


def test_the_hash_follows_the_question_and_not_its_wording() -> None:
    task = load_tasks()["digits-cnn.test-accuracy"]
    assert replace(task, label="other", description="other").hash == task.hash
    for change in ({"version": 2}, {"column": "train_accuracy"}, {"transform": "identity"}, {"protocol": "new-load"}):
        assert replace(task, **change).hash != task.hash


def test_a_wrong_value_is_named_with_its_line_and_field(tmp_path: Path) -> None:
    message = broken(tmp_path, "transform: logit", "transform: probit")
    assert message.startswith(f"tasks.yaml, line {line_of('transform: logit')}, tasks[1].transform: ")
    assert "'logit'" in message


def test_an_unknown_field_is_named_with_its_line(tmp_path: Path) -> None:
    message = broken(tmp_path, "    column: phase\n", "    colunm: phase\n")
    line = line_of("column: phase")
    assert f"line {line}, tasks[0].colunm: Extra inputs are not permitted." in message
    assert "tasks[0].column: Field required." in message


def test_a_field_that_stands_twice_is_refused(tmp_path: Path) -> None:
    message = broken(tmp_path, "    label: Phase\n", "    label: Phase\n    label: Phases\n")
    assert message == (
        f"tasks.yaml, line {line_of('label: Phase') + 1}, tasks[0].label: the field stands twice; remove one."
    )


def test_a_suite_that_names_no_task_is_refused_at_its_line(tmp_path: Path) -> None:
    message = broken(tmp_path, "    - digits-cnn.phase@new-load\n", "    - digits-cnn.phase@new-laod\n")
    line = line_of("- digits-cnn.phase@new-load")
    assert (
        message
        == f"tasks.yaml, line {line}, suites.default[1]: there is no task 'digits-cnn.phase@new-laod' in this file."
    )


def test_a_task_declared_twice_is_refused(tmp_path: Path) -> None:
    message = broken(tmp_path, "target: test-accuracy", "target: phase")
    assert "tasks[1].protocols[0]: the task 'digits-cnn.phase' is declared twice." in message


def test_phases_have_no_scale(tmp_path: Path) -> None:
    message = broken(tmp_path, "    column: phase\n", "    column: phase\n    transform: log10\n")
    assert "takes neither `minus` nor a `transform`" in message


def test_a_phase_cannot_be_asked_for_where_it_is_never_shown(tmp_path: Path) -> None:
    declared = "    protocols: [phase-stratified, new-load, new-temperature, new-zoo]\n"
    message = broken(tmp_path, declared, declared.replace("new-zoo]", "new-phase, new-zoo]"))
    assert message == (
        f"tasks.yaml, line {line_of(declared.strip())}, tasks[0].protocols[3]: the task 'digits-cnn.phase@new-phase' "
        "asks for phases that no fold of new-phase trains on; only targets that are numbers can be asked for there."
    )


def test_a_zoo_to_test_on_comes_with_its_protocol(tmp_path: Path) -> None:
    assert "come together" in broken(tmp_path, "    tested_on: convection-pinn\n", "")
    assert "come together" in broken(tmp_path, ", new-zoo]", "]")
    same = broken(tmp_path, "    tested_on: convection-pinn\n", "    tested_on: digits-cnn\n")
    assert "`tested_on` has to be another zoo" in same


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tasks: [\n", "not valid YAML"),
        ("tasks: &a [*a]\n", "tasks.yaml, line 1"),
        ("", "tasks.yaml, line 1"),
        ("- 1\n", "tasks.yaml, line 1"),
        ("tasks: !!python/object/apply:os.system [true]\n", "not valid YAML"),
    ],
)
def test_hostile_or_empty_files_give_one_clear_error(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "tasks.yaml"
    path.write_text(text)
    with pytest.raises(TaskError, match=expected):
        load_tasks(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"no task file at .*nowhere\.yaml"):
        load_tasks(tmp_path / "nowhere.yaml")


TEN_LINES = """\
format_version: 1
default_protocol: new-load
tasks:
  - zoo: controllers
    target: score
    version: 1
    kind: accuracy_prediction
    column: score
    protocols: [new-load, new-temperature]
    label: Score
"""


def test_ten_lines_are_a_task_file(tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text(TEN_LINES)
    book = load_tasks(tmp_path / "tasks.yaml")
    assert set(book.tasks) == {"controllers.score", "controllers.score@new-temperature"}
    assert book.tasks["controllers.score"].description == "Score"
    assert book.suites == {}
