"""Workflows keep what a pull request brings away from secrets, tokens that write, and the code that judges it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
# A number, a commit's hash, a name for the queue, our matrix. Titles, bodies, names and branches of a pull request are
# text that its author chooses.
TRUSTED = {
    "github.ref",
    "github.event.pull_request.number",
    "github.event.pull_request.base.sha",
    "matrix.python",
}

Workflow = dict[Any, Any]


def read(path: Path) -> Workflow:
    content: Workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


def triggers(workflow: Workflow) -> dict[str, Any]:
    found = workflow[True]  # YAML 1.1 reads `on` as a truth value
    return found if isinstance(found, dict) else dict.fromkeys([found] if isinstance(found, str) else found)


def steps(workflow: Workflow) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job["steps"]


def scripts(job: dict[str, Any]) -> str:
    return "\n".join(step.get("run", "") for step in job["steps"])


def submission() -> Workflow:
    return read(ROOT / ".github" / "workflows" / "submission.yml")


def test_there_are_workflows_for_tests_and_for_submissions() -> None:
    assert {"tests.yml", "submission.yml"} <= {path.name for path in WORKFLOWS}
    assert all(path.suffix == ".yml" for path in WORKFLOWS)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_pull_requests_meet_neither_secrets_nor_tokens_that_write(path: Path) -> None:
    workflow = read(path)
    # workflow_run would pick up with rights what a pull request's run left behind.
    assert set(triggers(workflow)) <= {"push", "pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert "uses" not in job, "a called workflow has rules of its own"
        assert "environment" not in job, "environments hold secrets"
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"secrets\b\s*[.\[:]", text)
    assert "github.token" not in text


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_checkouts_leave_no_credentials_behind(path: Path) -> None:
    checkouts = [step for step in steps(read(path)) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    for step in checkouts:
        assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_commits(path: Path) -> None:
    used = [step["uses"] for step in steps(read(path)) if "uses" in step]
    assert used
    for action in used:
        assert re.fullmatch(r"actions/(checkout|setup-python)@[0-9a-f]{40}", action)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_text_of_a_stranger_becomes_part_of_a_script(path: Path) -> None:
    for step in steps(read(path)):
        assert not EXPRESSION.search(step.get("run", "")), step
    used = {expression.strip() for expression in EXPRESSION.findall(path.read_text(encoding="utf-8"))}
    assert used <= TRUSTED


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_newer_push_ends_the_older_run(path: Path) -> None:
    assert read(path)["concurrency"]["cancel-in-progress"] is True


def test_tests_are_what_ci_run_does_on_the_oldest_and_a_newer_python() -> None:
    workflow = read(ROOT / ".github" / "workflows" / "tests.yml")
    assert set(triggers(workflow)) == {"push", "pull_request"}
    (job,) = workflow["jobs"].values()
    namespaces, run = scripts(job).strip().rsplit("\n", 1)
    assert run == "bash .ci/run"
    assert namespaces.count("sudo") == 1  # for what a fresh clone cannot ask of its machine
    assert "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in namespaces
    oldest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert oldest is not None
    versions = job["strategy"]["matrix"]["python"]
    assert versions[0] == oldest[1]
    assert all(isinstance(version, str) for version in versions)  # 3.10 unquoted is 3.1
    assert len(versions) > 1


def test_submissions_are_pull_requests_that_touch_results_or_methods() -> None:
    paths = ["leaderboard/results/**", "leaderboard/verified/**", "baselines/**"]
    assert triggers(submission()) == {"pull_request": {"paths": paths}}
    assert set(submission()["jobs"]) == {"data", "methods"}


def test_data_is_validated_by_the_base_branch_alone() -> None:
    job = submission()["jobs"]["data"]
    (checkout,) = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert checkout["with"]["path"] == "trusted"
    text = scripts(job)
    assert re.findall(r"pip install.*", text) == ["pip install -c trusted/constraints.txt ./trusted"]
    for command in ("checkout", "switch", "merge", "rebase", "pull ", "worktree", "restore", "reset", "read-tree"):
        assert f"git {command}" not in text
    # Of all commands, only two see the submission: one that copies data out of it, one that validates the copy.
    assert [line.strip() for line in text.splitlines() if "submitted" in line] == [
        'git fetch --no-tags origin "+refs/pull/$NUMBER/head:refs/submitted"',
        "python .ci/submitted_data.py HEAD refs/submitted ../submitted",
        "folders=(submitted/*/)  # in one call, which compares them with each other too",
    ]
    assert 'wslbench leaderboard add "${folders[@]}" --to trusted/leaderboard/results --replace --dry-run' in text
    assert "wslbench check" not in text
    assert "wslbench evaluate" not in text


def test_submitted_code_runs_in_a_job_of_its_own_that_hands_nothing_on() -> None:
    jobs = submission()["jobs"]
    assert "wslbench check" in scripts(jobs["methods"])
    assert not any("needs" in job or "outputs" in job for job in jobs.values())
    used = " ".join(step.get("uses", "") for step in jobs["methods"]["steps"])
    assert "artifact" not in used
    assert "cache" not in used
