"""Baselines import what a user could, and no more; each is readable alone."""

from __future__ import annotations

import ast
import importlib
import sys
from importlib.metadata import packages_distributions

import pytest

from tests.baselines.made import BASELINES, GENERATORS, METHODS, SHARED, load_baseline

LIBRARIES = sys.stdlib_module_names | set(packages_distributions())
FILES = sorted([*BASELINES.glob("*.py"), *BASELINES.glob("search/*.py")])


def imports(tree: ast.Module) -> list[tuple[str, list[str]]]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.append((node.module or "", [alias.name for alias in node.names]))
    return found


def test_there_is_a_file_for_every_baseline() -> None:
    assert {path.stem for path in BASELINES.glob("*.py")} == set(METHODS) | set(GENERATORS) | SHARED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_public_names_and_other_libraries_are_imported(path) -> None:
    own = (
        set(METHODS) | set(GENERATORS) | SHARED | {beside.stem for beside in path.parent.glob("*.py")}
    )  # as a user's method may have
    for module, names in imports(ast.parse(path.read_text())):
        top = module.split(".")[0]
        if top == "wslbench":
            assert not any(part.startswith("_") for part in module.split("."))
            assert set(names) <= public(module), f"{path.name} takes {names} from {module}"
        else:
            assert top in LIBRARIES | own


def public(module: str) -> set[str]:
    loaded = importlib.import_module(module)
    listed = getattr(loaded, "__all__", None)
    return set(listed) if listed is not None else {name for name in vars(loaded) if not name.startswith("_")}


@pytest.mark.parametrize(("name", "cls"), (METHODS | GENERATORS).items())
def test_the_leaderboard_has_a_line_to_show(name: str, cls: str) -> None:
    line = (getattr(load_baseline(name), cls).__doc__ or "").splitlines()[0]
    assert 10 < len(line) <= 120
    assert line.endswith(".")


def test_only_the_two_that_decode_or_know_the_grid_are_privileged() -> None:
    declared = {
        name: getattr(getattr(load_baseline(name), cls), "privilege", "none")
        for name, cls in (METHODS | GENERATORS).items()
    }
    assert declared == {
        "chance": "none",
        "architecture_only": "none",
        "decoded_hyperparameters": "train_hyperparameters",
        "flat": "none",
        "graph_encoder": "none",
        "hyper_representation": "none",
        "hyperparameters": "hyperparameters",
        "neural_functional": "none",
        "probing": "none",
        "spectral": "none",
        "weight_statistics": "none",
        **dict.fromkeys(GENERATORS, "none"),
    }


def test_the_decoding_floor_ends_in_the_very_same_oracle() -> None:
    assert load_baseline("decoded_hyperparameters").Oracle.__module__ == "hyperparameters"
