"""What is refused before any training, with the reason; nothing is left behind."""

import shutil
from collections import namedtuple

import pytest
from filelock import FileLock

from tests.population.recipes import tiny_recipe
from wslbench.errors import DatasetError, RecipeError, ZooError
from wslbench.population import checks
from wslbench.population.build import build_zoo
from wslbench.population.checks import disk_bytes, tensor_bytes, zoo_bytes


def test_a_batch_larger_than_the_train_set(tmp_path):
    recipe = tiny_recipe(optimisation={"epochs": 2, "batch_size": 250})
    with pytest.raises(RecipeError, match=r"width=1_learning_rate=0.01.*larger than the train set \(240\)"):
        build_zoo(recipe, tmp_path / "zoo")
    assert list(tmp_path.iterdir()) == []


def test_an_architecture_that_cannot_be_built(tmp_path):
    recipe = tiny_recipe(architecture={"builder": "cnn", "arguments": {"classes": 0}})
    with pytest.raises(RecipeError, match=r"width 1: .*classes"):
        build_zoo(recipe, tmp_path / "zoo")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"classes": 7}, "7 outputs, but digits has 10 classes"),
        ({"in_channels": 3}, r"does not take inputs of shape \[1, 8, 8\]"),
    ],
)
def test_an_architecture_that_does_not_fit_the_data(tmp_path, arguments, said):
    with pytest.raises(RecipeError, match=said):
        build_zoo(tiny_recipe(architecture={"builder": "cnn", "arguments": arguments}), tmp_path / "zoo")
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("WSLBENCH_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    recipe = tiny_recipe(data_set="svhn", label_noise=0)
    with pytest.raises(DatasetError, match="WSLBENCH_DATA"):
        build_zoo(recipe, tmp_path / "zoo")
    assert not (tmp_path / "zoo.partial").exists()


def test_too_little_disk(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 10**7, 10**7))
    with pytest.raises(ZooError, match=r"0\.0 GB are free, but growing 'tiny' takes up to 0\.1 GB"):
        build_zoo(tiny_recipe(), tmp_path / "zoo")
    assert list(tmp_path.iterdir()) == []


def test_sizes_by_hand():
    # width 1: conv 9 + 2 × 1 bn × 2 statistics, conv 18 + 8, conv 36 + 8, fc 8 × 10 + 10
    assert tensor_bytes(tiny_recipe(), 1) == 4 * (9 + 4 + 18 + 8 + 36 + 8 + 90)
    assert tensor_bytes(tiny_recipe(), 2) == 4 * (18 + 8 + 72 + 16 + 144 + 16 + 170)
    both = 4 * (173 + 444)
    assert zoo_bytes(tiny_recipe()) == both * 3 * 3 * 2
    assert disk_bytes(tiny_recipe(), 2) == both * 9 * 3 + both * 18 + both * 9 * 3


def test_another_zoo_in_its_place(tmp_path):
    (tmp_path / "zoo").mkdir()
    (tmp_path / "zoo" / "notes.txt").write_text("mine")
    with pytest.raises(ZooError, match="exists already"):
        build_zoo(tiny_recipe(), tmp_path / "zoo")
    assert (tmp_path / "zoo" / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["zoo"]


def test_two_builds_of_one_zoo_do_not_meet(tmp_path):
    with FileLock(tmp_path / ".zoo.lock"), pytest.raises(ZooError, match="being built by another process"):
        build_zoo(tiny_recipe(), tmp_path / "zoo")


def test_a_device_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(checks.torch.cuda, "is_available", lambda: False)
    with pytest.raises(ZooError, match="no CUDA device"):
        build_zoo(tiny_recipe(), tmp_path / "zoo", device="cuda")
