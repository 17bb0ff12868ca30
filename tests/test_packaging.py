"""The wheel carries everything that a user outside a checkout needs, and the command line starts fast."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import hatchling.build
import pytest

from wslbench.bundled import bundled_path, embedded_zoos_path

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "torch_geometric", "pandas", "scipy", "sklearn", "pydantic", "rich", "numpy", "pyarrow", "lightgbm")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return folder / hatchling.build.build_wheel(str(folder))


def files_below(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not {"__pycache__", ".journal"} & set(path.parts)
    }


def test_the_wheel_holds_tasks_baselines_results_zoos_recipes_and_templates(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"wslbench/py.typed", "wslbench/cli/__init__.py", "wslbench/_bundled/tasks.yaml"} <= names
    assert {f"wslbench/_bundled/baselines/{name}" for name in files_below(ROOT / "baselines")} <= names
    assert {f"wslbench/_bundled/results/{name}" for name in files_below(ROOT / "leaderboard" / "results")} <= names
    assert {f"wslbench/_bundled/verified/{name}" for name in files_below(ROOT / "leaderboard" / "verified")} <= names
    assert {f"wslbench/zoos/{name}" for name in files_below(embedded_zoos_path())} <= names
    assert {
        f"wslbench/{folder}/{name}"
        for folder in (
            "population/recipes",
            "annotation/definitions",
            "annotation/report/templates",
            "leaderboard/site/templates",
        )
        for name in files_below(ROOT / "wslbench" / folder)
    } <= names


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"wslbench"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_the_wheel_names_the_licence_and_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        information = next(name.split("/")[0] for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        assert "wslbench = wslbench.cli:main" in archive.read(f"{information}/entry_points.txt").decode()
        assert archive.read(f"{information}/licenses/LICENSE").startswith(b"MIT License")


@pytest.mark.slow
def test_a_wheel_can_be_built_from_the_sdist(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    archive = tmp_path / hatchling.build.build_sdist(str(tmp_path))
    with tarfile.open(archive) as sdist:
        safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Pythons before 3.11.4 know no filter
        sdist.extractall(tmp_path, **safely)
    monkeypatch.chdir(tmp_path / archive.name.removesuffix(".tar.gz"))
    again = tmp_path / hatchling.build.build_wheel(str(tmp_path))
    kept = {name for name in zipfile.ZipFile(wheel).namelist() if "/.journal/" not in name}
    assert set(zipfile.ZipFile(again).namelist()) == kept


def test_bundled_files_are_found_in_a_checkout() -> None:
    assert bundled_path("tasks.yaml") == ROOT / "tasks.yaml"
    assert bundled_path("baselines") == ROOT / "baselines"
    assert bundled_path("results") == ROOT / "leaderboard" / "results"
    assert bundled_path("verified") == ROOT / "leaderboard" / "verified"


def test_bundled_files_are_found_in_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    found = python(
        "import json; from wslbench.bundled import bundled_path as b; "
        "print(json.dumps([str(b(name)) for name in ('tasks.yaml', 'baselines', 'results')]))",
        cwd=tmp_path,
        path=tmp_path / "site",
    )
    tasks, baselines, results = (Path(path) for path in json.loads(found))
    assert tasks.read_bytes() == (ROOT / "tasks.yaml").read_bytes()
    assert (baselines / "chance.py").is_file()
    assert all(path.is_relative_to(tmp_path / "site" / "wslbench") for path in (tasks, baselines, results))


def loaded_by(arguments: list[str], folder: Path) -> set[str]:
    """The heavy libraries that a command line has loaded when it has printed its help."""
    printed = python(
        "import sys, wslbench.cli\n"
        f"wslbench.cli.app({arguments!r}, standalone_mode=False)\n"
        f"print('loaded', *(name for name in {HEAVY!r} if name in sys.modules))",
        cwd=folder,
        path=ROOT,
    )
    return set(printed.strip().splitlines()[-1].split()[1:])


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    assert loaded_by(["--help"], tmp_path) == set()


@pytest.mark.parametrize("command", ["new", "check", "evaluate", "leaderboard", "schemas", "tasks", "zoo"])
def test_the_help_of_a_command_loads_nothing_heavy(command: str, tmp_path: Path) -> None:
    # typer itself turns to pydantic for the defaults of options, where it is installed.
    assert loaded_by([command, "--help"], tmp_path) <= {"pydantic"}


def python(code: str, cwd: Path, path: Path) -> str:
    """What a fresh interpreter prints that has ``path`` before everything else."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={"PYTHONPATH": str(path), "PATH": "/usr/bin:/bin", "HOME": str(cwd)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
