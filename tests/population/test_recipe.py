"""Recipes: what is refused before any training, and what a recipe says of its grid."""

import pytest
import yaml

from tests.population.recipes import TINY, tiny_recipe
from wslbench.errors import RecipeError
from wslbench.population.recipe_file import load_recipe


def test_shipped_recipe_is_valid_and_large_enough():
    recipe = load_recipe("digits-cnn")
    assert len(recipe.load.values) >= 12
    assert len(recipe.temperature.values) >= 12
    assert recipe.seeds == 5
    assert recipe.grids_tried
    assert recipe.tuned


def test_cells_and_architectures():
    recipe = tiny_recipe()
    cells = list(recipe.cells())
    assert len(cells) == 6
    assert cells[0].cell_id == "width=1_learning_rate=0.01"
    assert len({cell.cell_id for cell in cells}) == 6
    assert recipe.architecture_of(2).arguments == {"width": 2}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"load": {"column": "width", "label": "w", "values": [0, 2]}}, "load.values.0"),
        ({"temperature": {"label": "t", "values": [-0.1]}}, "temperature.values.0"),
        ({"temperature": {"label": "t", "values": [0.1, 0.1]}}, "ascend"),
        ({"data_set": "mnist-3d"}, "mnist-3d"),
        ({"early_epoch": 2}, "early_epoch"),
        ({"seeds": 2}, "seeds"),
        ({"optimisation": {"epochs": 2, "batch_size": 200, "schedule": "cosine"}}, "constant"),
        ({"curve": {"epochs": 1, "batch_size": 10}}, "curve.learning_rate"),
        ({"sedes": 3}, "sedes"),
    ],
)
def test_refusals_name_file_and_field(tmp_path, changes, named):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(TINY | changes))
    with pytest.raises(RecipeError, match=named) as caught:
        load_recipe(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["[1, 2", "- a list", ""])
def test_files_that_are_no_recipe(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"recipe\.yaml"):
        load_recipe(path)


def test_unknown_recipe_lists_the_known():
    with pytest.raises(RecipeError, match="digits-cnn"):
        load_recipe("no-such-zoo")
