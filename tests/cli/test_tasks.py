"""``wslbench tasks``, as a user calls it."""

from __future__ import annotations

from typer.testing import CliRunner

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
