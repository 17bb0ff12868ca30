"""`wslbench verify` with nothing left out: a zoo that is really grown again, on the command line, into a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from tests.evaluation.conftest import WriteMethod
from tests.population.recipes import TINY
from tests.tasks.declared import tiny_tasks
from wslbench.cli import app
from wslbench.evaluation import read_record
from wslbench.evaluation.bubblewrap import obstacle
from wslbench.evaluation.verified_files import cards_in, results_folder
from wslbench.population.build import build_zoo
from wslbench.population.recipe_file import load_recipe
from wslbench.zoo import Zoo, load_zoo, verify

pytestmark = [pytest.mark.slow, pytest.mark.skipif(obstacle() is not None, reason=str(obstacle()))]

TASK = "tiny.train-loss"

MEMORISER = """
import numpy as np

class Memoriser:
    '''Knows the losses of public networks by heart; the mean for others.'''
    def fit(self, models, target, context):
        self.mean = float(np.mean(target))
    def predict(self, models):
        return np.array([ANSWERS.get(round(float(m.tensors()["conv1.weight"].sum()), 5), self.mean) for m in models])

ANSWERS = """

HONEST = """
import numpy as np

class Honest:
    '''A line through how far the last layer has moved.'''
    def fit(self, models, target, context):
        self.line = np.polyfit(self.size(models), target, 1)
    def size(self, models):
        return np.log([np.square(m.tensors()["fc.weight"]).sum() / m.tensors()["fc.weight"].size for m in models])
    def predict(self, models):
        return np.polyval(self.line, self.size(models))
"""


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zoo:
    """A small zoo that stands where embedded zoos do, with its recipe and tasks."""
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    content = TINY | {"load": TINY["load"] | {"values": [1, 2, 3]}, "optimisation": {"epochs": 4, "batch_size": 40}}
    content |= {"measured_epoch": 4, "early_epoch": 2}
    (recipes / "tiny.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr("wslbench.population.recipe_file.RECIPES_PATH", recipes)
    zoo = build_zoo(load_recipe("tiny"), tmp_path / "tiny").zoo
    book = tiny_tasks(tmp_path, "tiny")
    monkeypatch.setattr("wslbench.tasks.load_tasks", lambda: book)
    monkeypatch.setattr("wslbench.zoo.load_zoo", lambda name: zoo)
    return zoo


def _answers(zoo: Zoo) -> dict[float, float]:
    table = zoo.table[zoo.table["measured"]]
    sums = [round(float(model.tensors()["conv1.weight"].sum()), 5) for model in zoo.models(table.index)]
    return dict(zip(sums, table["train_loss"].tolist(), strict=True))


def test_a_zoo_grown_again_exposes_a_memoriser(public: Zoo, write_method: WriteMethod, tmp_path: Path) -> None:
    secret, cache, into = tmp_path / "secret", tmp_path / "cache", tmp_path / "verified"
    secret.write_bytes(b"nobody will ever guess")

    def verified(method: Path) -> dict[str, Any]:
        words = ["verify", str(method), "--task", TASK, "--seed-secret", str(secret), "--zoo-cache", str(cache)]
        words += ["--out", str(tmp_path / "out"), "--into", str(into), "--attested-by", "Someone", "--json"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        (told,) = json.loads(result.stdout)
        assert isinstance(told, dict)
        return told

    cheat = verified(write_method(MEMORISER + repr(_answers(public)), "memoriser.py"))
    (path,) = cache.iterdir()
    grown = path.stat().st_mtime_ns
    fair = verified(write_method(HONEST, "honest.py"))
    assert [each.stat().st_mtime_ns for each in cache.iterdir()] == [grown]  # grown once

    regrown = load_zoo(path)
    assert verify(regrown) == []
    assert regrown.card.recipe["cutoffs"] == public.card.recipe["cutoffs"]
    assert not set(regrown.table.index) & set(public.table.index)
    assert not set(_answers(regrown)) & set(_answers(public))

    assert cheat["scores"]["public"]["value"] == pytest.approx(1)
    assert abs(cheat["scores"]["regrown"]["value"]) < 0.3
    assert cheat["gap"]["low"] > 0.5
    assert fair["scores"]["regrown"]["value"] > 0.3
    assert fair["gap"]["low"] <= 0  # nothing was memorised
    (card,) = cards_in(into)
    for name in ("memoriser", "honest"):
        assert read_record(results_folder(card) / name / f"{TASK}.json").tier == "verified"
