"""What the submission workflow takes out of a pull request's commits: results as plain files, and names of methods."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / ".ci"
RESULTS = "leaderboard/results"
METHOD = """from helper import number

class Mine:
    def fit(self): ...
    def predict(self): ...
"""

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


class Repository:
    """A repository with a base and a submission's branch, on which changes are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=base")
        self.write(f"{RESULTS}/old/zoo.phase.json", "old")
        self.write(f"{RESULTS}/old/zoo.phase.parquet", "old answers")
        self.write(f"{RESULTS}/old/audit/zoo.phase.json", "old audit")
        self.write("baselines/helper.py", "number = 1\n")
        self.write("baselines/mine.py", METHOD)
        self.commit()
        self.git("checkout", "--quiet", "-b", "submission")

    def git(self, *arguments: str) -> str:
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        identity = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env={**os.environ, **settings, **identity},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def write(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", "change")

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(SCRIPTS / script), *arguments],
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


def copied(repository: Repository) -> tuple[dict[str, str], list[str], int]:
    """What comes out of the submission, the lines that are refused, and the exit code."""
    repository.commit()
    repository.git("checkout", "--quiet", "base")  # the tree of the submission is never there
    out = repository.folder.parent / "submitted"
    done = repository.run("submitted_data.py", "base", "submission", str(out))
    assert done.stderr == ""
    files = {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*") if path.is_file()}
    return files, [line for line in done.stdout.splitlines() if line.startswith("refused")], done.returncode


def test_new_results_are_copied_with_their_audits(repository: Repository) -> None:
    new = {"new/zoo.phase@new-load.json": "{}", "new/zoo.phase@new-load.parquet": "x", "new/audit/zoo.cka.json": "a"}
    for path, text in new.items():
        repository.write(f"{RESULTS}/{path}", text)
    repository.write("wslbench/evaluation/record.py", "import os")
    repository.write("leaderboard/README.md", "first")
    assert copied(repository) == (new, [], 0)


def test_half_of_a_pair_comes_with_the_other_half(repository: Repository) -> None:
    """A record edited by hand is held against its predictions, which did not change."""
    repository.write(f"{RESULTS}/old/zoo.phase.json", "better")
    files, refused, code = copied(repository)
    assert (refused, code) == ([], 0)
    assert files == {
        "old/zoo.phase.json": "better",
        "old/zoo.phase.parquet": "old answers",
        "old/audit/zoo.phase.json": "old audit",
    }


def test_what_the_base_gained_meanwhile_is_not_of_the_submission(repository: Repository) -> None:
    repository.write(f"{RESULTS}/new/zoo.phase.json", "{}")
    repository.commit()
    repository.git("checkout", "--quiet", "base")
    repository.write(f"{RESULTS}/other/zoo.phase.json", "{}")
    repository.commit()
    repository.git("checkout", "--quiet", "submission")
    repository.write("notes.md", "-")
    assert set(copied(repository)[0]) == {"new/zoo.phase.json"}


def test_a_withdrawn_result_leaves_nothing_to_judge(repository: Repository) -> None:
    shutil.rmtree(repository.folder / RESULTS / "old")
    assert copied(repository) == ({}, [], 0)


def link(repository: Repository) -> None:
    path = repository.folder / RESULTS / "new" / "zoo.phase.json"
    path.parent.mkdir(parents=True)
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (link, "no plain file, but of mode 120000"),
        (lambda repository: repository.write(f"{RESULTS}/new/a.json", "{}").chmod(0o755), "mode 100755"),
        (lambda repository: repository.write(f"{RESULTS}/new/a.py", "x"), "belong here"),
        (lambda repository: repository.write(f"{RESULTS}/new/a.pkl", "x"), "belong here"),
        (lambda repository: repository.write(f"{RESULTS}/new/.a.json", "x"), "belong here"),
        (lambda repository: repository.write(f"{RESULTS}/new/audit/a.parquet", "x"), "belong here"),
        (lambda repository: repository.write(f"{RESULTS}/new/deep/er/a.json", "x"), "belong here"),
        (lambda repository: repository.write(f"{RESULTS}/new/a\nb.json", "x"), "a\\nb.json"),
        (lambda repository: repository.write(f"{RESULTS}/new/$(id).json", "x"), "belong here"),
        (lambda repository: repository.write(f"{RESULTS}/new/a.json", "x" * 20_000_001), "at most 20,000,000"),
    ],
)
def test_what_is_no_result_is_refused(
    change: Callable[[Repository], object], expected: str, repository: Repository
) -> None:
    change(repository)
    files, (line,), code = copied(repository)
    assert expected in line
    assert (files, code) == ({}, 1)


@pytest.mark.parametrize("name", ["zoo-0123456789ab/targets/zoo.phase.parquet", "README.md"])
def test_no_submission_writes_verifications(name: str, repository: Repository) -> None:
    """What verified results are scored against is taken on trust: nobody may send it along with a result."""
    repository.write(f"{RESULTS}/new/zoo.phase.json", "{}")
    repository.write(f"leaderboard/verified/{name}", "forged")
    files, (line,), code = copied(repository)
    assert f"leaderboard/verified/{name}" in line
    assert "maintainers" in line
    assert (files, code) == ({"new/zoo.phase.json": "{}"}, 1)


def changed_methods(repository: Repository) -> list[str]:
    repository.commit()
    done = repository.run("submitted_methods.py", "base", "submission")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_methods_are_checked_where_they_or_what_they_import_changed(repository: Repository) -> None:
    repository.write("baselines/helper.py", "number = 2\n")
    repository.write("baselines/search/tried.py", METHOD)
    repository.write("baselines/other.py", METHOD.replace("helper", "math"))
    assert changed_methods(repository) == ["baselines/mine.py", "baselines/other.py"]


def test_a_file_that_is_no_python_is_checked_and_not_run(repository: Repository) -> None:
    repository.write("baselines/broken.py", "class Broken(:\n")
    repository.write("baselines/loud.py", "raise SystemExit('imported')\n\n" + METHOD)
    assert changed_methods(repository) == ["baselines/broken.py", "baselines/loud.py"]


def test_nothing_is_checked_where_no_method_changed(repository: Repository) -> None:
    repository.write("notes.md", "-")
    (repository.folder / "baselines" / "mine.py").unlink()
    assert changed_methods(repository) == []
