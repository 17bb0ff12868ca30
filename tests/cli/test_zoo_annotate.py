"""``wslbench zoo annotate``, as a user calls it: on this machine, on Ray, interrupted, and with wrong words."""

import os
import signal
import subprocess
import sys
import time

import pytest
import yaml
from typer.testing import CliRunner

from tests.annotation.foreign import OPTIONS, foreign_zoo
from tests.engines.here import Here
from tests.population.recipes import tiny_recipe
from wslbench.annotation.annotate_zoo import annotate_zoo, staging_folder
from wslbench.annotation.options import options_of
from wslbench.cli.zoo import app
from wslbench.engines import make_engine
from wslbench.errors import LandscapeError
from wslbench.population.build import build_zoo
from wslbench.zoo import Zoo, verify

COMPARED = ["train_loss", "hessian_trace", "hessian_top_eigenvalue_test", "mode_connectivity", "cka"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    recipe = tiny_recipe(unfinished_check="none")
    return build_zoo(recipe, tmp_path_factory.mktemp("built") / "tiny", engine=Here()).zoo


@pytest.fixture
def bare(built, tmp_path):
    return foreign_zoo(built, tmp_path / "bare", keep=lambda row: row["measured"])


def written(path, **changes):
    path.write_text(yaml.safe_dump(OPTIONS | changes))
    return path


@pytest.mark.slow
def test_two_processes_annotate_a_zoo(bare, tmp_path):
    options = written(tmp_path / "options.yaml")
    result = CliRunner().invoke(app, ["annotate", str(bare.path), "--options", str(options), "--jobs", "2"])
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "data set digits, definition wslbench, engine local" in said
    assert "version 2: " in said
    zoo = Zoo(bare.path)
    assert verify(zoo) == []
    assert zoo.table["phase"].notna().any()
    assert zoo.card.annotation["definition"]["name"] == "wslbench"
    assert not staging_folder(zoo.path).exists()


@pytest.mark.slow
def test_ray_measures_the_same(built, bare, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    options = written(tmp_path / "options.yaml")
    on_ray = annotate_zoo(bare, options_of(bare, options), make_engine("ray", 2)).zoo
    other = foreign_zoo(built, tmp_path / "other", keep=lambda row: row["measured"])
    here = annotate_zoo(other, options_of(other, options), Here()).zoo
    for name in COMPARED:
        assert on_ray.table[name].to_numpy() == pytest.approx(
            here.table[name].to_numpy(), rel=1e-4, abs=0.4, nan_ok=True
        )
    assert on_ray.table["phase"].tolist() == here.table["phase"].tolist()


def test_an_interrupt_loses_nothing(bare, tmp_path):
    before = {path.name: path.read_bytes() for path in bare.path.iterdir() if path.is_file()}
    slow = written(tmp_path / "slow.yaml", curve=OPTIONS["curve"] | {"epochs": 5000})
    command = [sys.executable, "-m", "wslbench", "zoo", "annotate", str(bare.path), "--options", str(slow)]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not staging_folder(bare.path).is_dir() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on from there" in " ".join(said.split())
    assert "Traceback" not in said
    assert {path.name: path.read_bytes() for path in bare.path.iterdir() if path.is_file()} == before


def test_a_definition_that_does_not_exist_is_answered_with_those_that_do(bare):
    result = CliRunner().invoke(app, ["annotate", str(bare.path), "--definition", "yang"])
    assert isinstance(result.exception, LandscapeError)
    assert str(result.exception) == (
        "there is no definition 'yang': there are ptmz, wslbench, yang2021, or give a YAML file"
    )


def test_a_definition_file_with_a_wrong_field_names_it(bare, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nsource: me\nsimilarity: {layers: conv1}\n")
    result = CliRunner().invoke(app, ["annotate", str(bare.path), "--definition", str(file)])
    assert isinstance(result.exception, LandscapeError)
    assert "mine.yaml" in str(result.exception)
    assert "similarity.layers" in str(result.exception)
