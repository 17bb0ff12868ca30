"""Whether cells are finished: by runs that go on, by longer runs, or not asked."""

import pytest
import torch

from tests.engines.here import Here
from tests.population.recipes import tiny_recipe
from wslbench.errors import RecipeError
from wslbench.population.block import train_block
from wslbench.population.blocks import blocks_of
from wslbench.population.build import build_zoo
from wslbench.population.objective import make_objective
from wslbench.population.recipe_file import load_recipe

ANNEALED = {"epochs": 3, "batch_size": 40, "schedule": "one_cycle"}


def train(recipe):
    block = next(blocks_of(recipe))
    return train_block(recipe, block, make_objective(recipe, block.runs(recipe)))


def test_longer_runs_are_fresh_runs_on_a_stretched_schedule():
    longer = tiny_recipe(optimisation=ANNEALED, unfinished_check="longer")
    trained = train(longer)
    assert sorted(trained.checkpoints) == [1, 2, 4]
    assert trained.running_loss.shape == (2, 9)
    once = train(tiny_recipe(optimisation=ANNEALED, unfinished_check="none"))
    assert sorted(once.checkpoints) == [1, 2]
    for epoch in (1, 2):
        for name, tensor in once.checkpoints[epoch].parameters.items():
            assert torch.equal(tensor, trained.checkpoints[epoch].parameters[name])
    apart = trained.checkpoints[4].parameters["conv3.weight"] - trained.checkpoints[2].parameters["conv3.weight"]
    assert apart.abs().max() > 0.1  # another initialisation, not the same run gone on


def test_a_zoo_that_does_not_ask_says_so(tmp_path):
    recipe = tiny_recipe(optimisation=ANNEALED, unfinished_check="none")
    zoo, notes = build_zoo(recipe, tmp_path / "zoo", engine=Here())
    assert any("not checked" in note for note in notes)
    assert not zoo.table["unfinished"].any()
    assert "continued_train_loss" not in zoo.table


def test_batch_size_as_temperature_groups_the_runs(tmp_path):
    recipe = tiny_recipe(
        temperature={"column": "batch_size", "label": "batch size", "values": [20, 60], "sets": "batch_size"},
        optimisation={"epochs": 2, "learning_rate": 0.05},
    )
    assert [(block.batch_size, len(block.cells)) for block in blocks_of(recipe)] == [(20, 1), (60, 1)] * 2
    zoo = build_zoo(recipe, tmp_path / "zoo", engine=Here()).zoo
    assert set(zoo.table["batch_size"]) == {20, 60}
    assert set(zoo.table["learning_rate"]) == {0.05}


def test_disjoint_pairs_share_no_seed():
    recipe = tiny_recipe(seeds=9, disjoint_pairs=4)
    seeds = [seed for pair in recipe.pairs for seed in pair]
    assert len(seeds) == len(set(seeds)) == 8
    assert recipe.pairs == tiny_recipe(seeds=9, disjoint_pairs=4).pairs


def test_scales_change_what_they_name_and_nothing_else(tmp_path):
    import yaml

    from tests.population.recipes import TINY

    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(TINY | {"scales": {"paper": {}, "laptop": {"optimisation": {"batch_size": 100}}}}))
    paper, laptop = load_recipe(path, "paper"), load_recipe(path)
    assert (paper.name, laptop.name) == ("tiny", "tiny-laptop")
    assert laptop.optimisation == paper.optimisation.model_copy(update={"batch_size": 100})
    assert laptop.load == paper.load
    with pytest.raises(RecipeError, match="no scale 'desk': this recipe has laptop, paper"):
        load_recipe(path, "desk")
    with pytest.raises(RecipeError, match="has no scales"):
        load_recipe("digits-cnn", "paper")
