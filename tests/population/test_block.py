"""A block: label noise, independence of cells, and what is measured when."""

import numpy as np
import pytest
import torch

from tests.population.recipes import tiny_recipe
from wslbench.datasets import load_dataset
from wslbench.population.block import train_block
from wslbench.population.blocks import blocks_of
from wslbench.population.measurement import measure_block
from wslbench.population.objective import make_objective, recipe_dataset
from wslbench.population.trained_blocks import read_block, save_block
from wslbench.training.training_data import with_label_noise


@pytest.fixture(scope="module")
def recipe():
    return tiny_recipe()


@pytest.fixture(scope="module")
def trained(recipe):
    block = next(blocks_of(recipe))
    return train_block(recipe, block, make_objective(recipe, block.runs(recipe)))


def test_a_trained_block_comes_back_as_it_was_and_in_its_order(recipe, trained, tmp_path):
    block = next(blocks_of(recipe))
    save_block(tmp_path / "block.safetensors", trained)
    back = read_block(tmp_path / "block.safetensors", block)
    assert list(back.checkpoints) == list(trained.checkpoints)
    for epoch, stack in trained.checkpoints.items():
        for before, after in (
            (stack.parameters, back.checkpoints[epoch].parameters),
            (stack.statistics, back.checkpoints[epoch].statistics),
        ):
            assert list(after) == list(before)  # random vectors over the parameters are drawn in this order
            assert all(torch.equal(after[name], before[name]) for name in before)


def test_label_noise_is_exact_fixed_and_never_the_true_class():
    labels = np.arange(1000) % 10
    noisy = with_label_noise(labels, 0.137, 10, seed=3)
    assert (noisy != labels).sum() == 137
    assert (noisy == with_label_noise(labels, 0.137, 10, seed=3)).all()
    assert set(noisy) <= set(range(10))
    assert (with_label_noise(labels, 0.0, 10, seed=3) == labels).all()


def test_test_labels_stay_clean():
    data = recipe_dataset(tiny_recipe(train_subset=None, test_subset=None))
    assert (data.test_labels == load_dataset("digits").test_labels).all()
    assert (data.train_labels != load_dataset("digits").train_labels).sum() == 120


def test_a_cell_does_not_depend_on_the_rest_of_its_block(recipe, trained):
    alone = tiny_recipe(temperature={"label": "learning rate", "values": [0.05]})
    block = next(blocks_of(alone))
    by_itself = train_block(alone, block, make_objective(alone, block.runs(alone)))
    for name, tensor in by_itself.checkpoints[2].parameters.items():
        assert torch.allclose(tensor, trained.checkpoints[2].parameters[name][3:6], atol=1e-4), name


def test_seeds_of_different_cells_share_nothing(trained):
    first = trained.checkpoints[1].parameters["conv3.weight"]
    flat = first.flatten(1)
    gaps = torch.cdist(flat, flat) + torch.eye(len(flat))
    assert gaps.min() > 0.1


def test_measured_tables(recipe, trained):
    block = next(blocks_of(recipe))
    measured = measure_block(recipe, block, trained, make_objective(recipe, block.runs(recipe)))
    runs, pairs = measured.runs, measured.pairs
    assert len(runs) == 3 * 3 * 3  # temperatures, seeds, epochs 1, 2 and 4
    at_two = runs[runs["epoch"] == 2]
    assert at_two["hessian_trace"].notna().all()
    assert at_two["loss_slope"].lt(0).all()
    assert runs[runs["epoch"] != 2]["hessian_trace"].isna().all()
    assert len(pairs[pairs["epoch"] == 2]) == 3 * 3
    ring = pairs[(pairs["epoch"] == 4) & (pairs["cell_id"] == "width=1_learning_rate=0.01")]
    assert sorted(zip(ring["seed_a"], ring["seed_b"], strict=True)) == [(0, 1), (1, 2), (2, 0)]
    assert pairs["cka"].between(0, 1).all()
