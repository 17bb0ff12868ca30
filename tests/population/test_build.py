"""Growing a whole zoo: finished, resumed after a kill, and the same for any number of processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import yaml

from tests.engines.here import Here
from tests.population.recipes import TINY, tiny_recipe
from wslbench.errors import ZooError
from wslbench.population.build import build_zoo
from wslbench.zoo import Zoo, verify


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    shares = []
    result = build_zoo(tiny_recipe(), tmp_path_factory.mktemp("zoo") / "tiny", jobs=2, report=shares.append)
    return result, shares


def test_a_grown_zoo_is_sound_and_complete(grown):
    (zoo, _), shares = grown
    assert verify(zoo) == []
    table = zoo.table
    assert len(table) == 6 * 3 * 2
    assert table["measured"].sum() == 18
    assert set(table["epoch"]) == {1, 2}
    assert zoo.card.recipe["trainer_version"] == 1
    assert not zoo.path.with_name("tiny.partial").exists()
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=0.05)


def test_cells_have_errors_and_no_early_order_parameters(grown):
    table = grown[0].zoo.table
    assert table.loc[table["measured"], ["mode_connectivity", "mode_connectivity_se", "cka_se"]].notna().all(axis=None)
    assert table.loc[~table["measured"], ["mode_connectivity", "cka", "hessian_trace"]].isna().all(axis=None)


def test_stored_weights_are_what_was_measured(grown):
    import torch

    from wslbench.population.objective import recipe_dataset

    zoo = grown[0].zoo
    data = recipe_dataset(tiny_recipe())
    images, labels = torch.from_numpy(data.test_inputs), torch.from_numpy(data.test_labels)
    rows = zoo.table[zoo.table["measured"]].iloc[:4]
    for model, (_, row) in zip(zoo.models(rows.index), rows.iterrows(), strict=True):
        with torch.no_grad():
            loss = torch.nn.functional.cross_entropy(model.module()(images), labels)
        assert loss.item() == pytest.approx(row["test_loss"], rel=1e-4)


@pytest.mark.slow
def test_one_process_grows_the_same_zoo(grown, tmp_path):
    alone = build_zoo(tiny_recipe(), tmp_path / "tiny", jobs=1).zoo
    assert alone.versions["weights"] == grown[0].zoo.versions["weights"]
    # Growing again in the same place is refused; nothing is overwritten.
    with pytest.raises(ZooError, match="exists already"):
        build_zoo(tiny_recipe(), tmp_path / "tiny", jobs=1)


@pytest.mark.slow
def test_killed_half_way_it_goes_on_where_it_was(grown, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(TINY))
    command = [
        sys.executable,
        "-m",
        "wslbench",
        "zoo",
        "build",
        str(recipe),
        "--out",
        str(tmp_path / "tiny"),
        "--jobs",
        "1",
    ]
    partial = tmp_path / "tiny.partial"
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not any(partial.glob("width=*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    staged = {path.name: path.stat().st_mtime_ns for path in partial.glob("width=*")}
    assert staged
    assert len(staged) < 6
    trained = {path.name: path.stat().st_mtime_ns for path in (partial / ".blocks").glob("*.safetensors")}
    assert trained
    other = tiny_recipe(label_noise=0.2)
    with pytest.raises(ZooError, match="another recipe"):
        build_zoo(other, tmp_path / "tiny", jobs=1)
    resumed = build_zoo(tiny_recipe(), tmp_path / "tiny", jobs=1).zoo
    assert resumed.versions["weights"] == grown[0].zoo.versions["weights"]
    assert Zoo(tmp_path / "tiny").versions == resumed.versions


def test_without_cutoffs_a_small_grid_gets_no_phases_and_says_so(tmp_path):
    small = tiny_recipe(
        cutoffs=None,
        load={"column": "width", "label": "width", "values": [1]},
        temperature={"label": "learning rate", "values": [0.01, 0.02]},
    )
    zoo, notes = build_zoo(small, tmp_path / "small", engine=Here())
    assert zoo.card.phase_rule is None
    assert zoo.table["phase"].isna().all()
    assert any("no phases" in note for note in notes)


@pytest.mark.slow
def test_an_interrupt_ends_in_one_sentence_and_leaves_no_process(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    # Long enough to be interrupted on any machine.
    recipe.write_text(yaml.safe_dump(TINY | {"curve": TINY["curve"] | {"epochs": 5000}}))
    command = [sys.executable, "-m", "wslbench", "zoo", "build", str(recipe), "--out", str(tmp_path / "tiny")]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    trained = tmp_path / "tiny.partial" / ".blocks"
    deadline = time.monotonic() + 120
    while not trained.is_dir() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the parent and to every worker
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on from there" in " ".join(said.split())
    assert "Traceback" not in said
    deadline = time.monotonic() + 20
    while living_members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert living_members(process.pid) == []


def living_members(group: int) -> list[str]:
    """Command lines of a process group's members that are not mere zombies."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
    return found
