"""``wslbench tasks``, as a user calls it."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from tests.zoos import NAME
from wslbench.bundled import bundled_path
from wslbench.cli.tasks import app
from wslbench.errors import UnknownTaskError
from wslbench.tasks import load_tasks


def test_list_names_every_task_with_its_suites() -> None:
    result = CliRunner().invoke(app, ["list"], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines() if "." in line.split(maxsplit=1)[0]}
    assert list(lines) == list(load_tasks().tasks)
    assert lines["digits-cnn.phase"].rstrip().endswith("quick, default, full")
    assert "kendall_tau" in lines["digits-cnn.sharpness@new-load"]


def test_show_tells_target_scale_split_and_direction() -> None:
    result = CliRunner().invoke(app, ["show", "digits-cnn.sharpness@new-load"], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    for text in ("hessian_trace, on the asinh scale", "new-load", "Kendall τ (higher is better)"):
        assert text in result.stdout


def test_show_lists_the_folds_of_the_embedded_zoo() -> None:
    result = CliRunner().invoke(app, ["show", "digits-cnn.phase"], env={"COLUMNS": "160"})
    assert "train models" in result.stdout
    assert "units (cell)" in result.stdout


def test_show_of_an_unknown_task_raises_the_error_that_the_command_line_prints() -> None:
    result = CliRunner().invoke(app, ["show", "digits-cnn.phse"])
    assert isinstance(result.exception, UnknownTaskError)
    assert "digits-cnn.phase" in str(result.exception)


def test_validate_prints_a_line_a_task() -> None:
    result = CliRunner().invoke(app, ["validate"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [["ok", task_id] for task_id in load_tasks().tasks]


def test_validate_leaves_with_one_where_a_task_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(bundled_path("tasks.yaml").read_text().replace("column: test_loss", "column: loss"))
    result = CliRunner().invoke(app, ["validate", str(path)])
    assert result.exit_code == 1
    wrong = [line.split(maxsplit=2) for line in result.stdout.splitlines() if line.startswith("wrong")]
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if text.strip() == "column: loss")
    assert [task for _, task, _ in wrong] == [
        f"digits-cnn.loss-gap{protocol}" for protocol in ("", "@new-load", "@new-temperature", "@new-phase")
    ]
    assert all(text.startswith(f"mine.yaml, line {line}, tasks[2].column: ") for _, _, text in wrong)
    assert "4 of 73 tasks are wrong." in result.stderr


def test_validate_takes_zoos_of_ones_own(built_tiny_zoo: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "format_version: 1\ndefault_protocol: new-load\nsuites: {}\ntasks:\n"
        f"  - {{zoo: {NAME}, target: loss, version: 1, kind: accuracy_prediction, column: test_loss,\n"
        "     protocols: [new-load], label: Loss, description: Loss.}\n"
    )
    without = CliRunner().invoke(app, ["validate", str(path)])
    assert without.exit_code == 1
    assert "no zoo 'tiny-cnn'" in without.stdout.lower()
    result = CliRunner().invoke(app, ["validate", str(path), "--zoo", str(built_tiny_zoo)])
    assert result.stdout.splitlines()[0] == f"ok     {NAME}.loss  30 models, 2 folds"
