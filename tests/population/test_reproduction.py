"""Part of the embedded zoo grown again from its recipe: the same networks, the same measurements (minutes; slow)."""

import numpy as np
import pytest

import wslbench
from wslbench.population.block import train_block
from wslbench.population.blocks import blocks_of
from wslbench.population.measurement import measure_block
from wslbench.population.objective import make_objective
from wslbench.population.recipe_file import load_recipe

# The chaos of training amplifies what another processor rounds otherwise; on one machine the bits agree.
WEIGHTS = {"rtol": 1e-3, "atol": 1e-3}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "load", "temperature"),
    [("digits-cnn", 2, 0.01), ("digits-cnn", 12, 0.014), ("convection-pinn", 2, 0.003)],
)
def test_a_cell_grown_again(name, load, temperature):
    recipe = load_recipe(name)
    cell = next(c for c in recipe.cells() if (c.load, c.temperature) == (load, temperature))
    own = {"load": [load], "temperature": [temperature]}
    alone = recipe.model_copy(
        update={axis: getattr(recipe, axis).model_copy(update={"values": values}) for axis, values in own.items()}
    )
    block = next(blocks_of(alone))
    objective = make_objective(alone, block.runs(alone))
    trained = train_block(alone, block, objective)
    zoo = wslbench.load_zoo(name)
    rows = zoo.table[zoo.table["measured"] & (zoo.table["cell_id"] == cell.cell_id)].sort_values("seed")
    (stack,) = zoo.models(rows.index).by_architecture()
    for tensor, grown in trained.checkpoints[recipe.measured_epoch].arrays().items():
        np.testing.assert_allclose(grown[stack.positions], stack[tensor], **WEIGHTS, err_msg=tensor)

    measured = measure_block(alone, block, trained, objective)
    runs = measured.runs[measured.runs["epoch"] == recipe.measured_epoch]
    for column in ("train_loss", "test_loss", "hessian_trace", "hessian_top_eigenvalue"):
        np.testing.assert_allclose(runs[column].to_numpy(), rows[column].to_numpy(), rtol=1e-2, err_msg=column)
    pairs = measured.pairs[measured.pairs["epoch"] == recipe.measured_epoch]
    stored = zoo.cells.set_index("cell_id").loc[cell.cell_id]
    assert pairs["mode_connectivity"].mean() == pytest.approx(stored["mode_connectivity"], abs=0.2)
    assert pairs["cka"].mean() == pytest.approx(stored["cka"], abs=0.005)
