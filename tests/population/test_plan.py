"""Plans: counts by hand, data that need not be here, the fit of the time, and what the command line shows."""

import numpy as np
import pytest

from tests.datasets.hub_layout import write_images, write_text
from tests.engines.here import Here
from tests.population.recipes import TINY, tiny_recipe
from wslbench.cli._plan_report import duration, print_plan
from wslbench.errors import DatasetError, RecipeError
from wslbench.population import plan_data as data_module
from wslbench.population import plan_time
from wslbench.population.build import build_zoo
from wslbench.population.plan import plan_of
from wslbench.population.plan_data import plan_data
from wslbench.population.plan_work import CellWork, forward_flops, work_of_cell
from wslbench.population.recipe_file import load_recipe


@pytest.fixture(autouse=True)
def _no_data_and_no_hub(tmp_path, monkeypatch):
    monkeypatch.delenv("WSLBENCH_DATA", raising=False)
    monkeypatch.setenv("WSLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(data_module, "_cached", lambda _hub, _file: False)
    monkeypatch.setattr(plan_time, "BUDGET_SECONDS", 0.0)  # one kind of step is measured in any case


def test_counts_of_a_small_zoo():
    plan = plan_of(tiny_recipe(), jobs=2)
    assert (plan.cells, plan.runs, plan.checkpoints) == (6, 18, 36)
    # conv 9w, 18w², 36w²; batch norms 2w, 4w, 4w; linear 2w · 4 · 10 + 10
    assert [load.parameters for load in plan.loads] == [54 + 19 + 90, 216 + 38 + 170]
    assert plan.parameters == 18 * (163 + 424)
    assert plan.data.here
    assert (plan.data.train_size, plan.data.test_size) == (240, 120)
    assert plan.time.seconds > 0
    assert plan.zoo_bytes < plan.peak_bytes


def test_stored_parameters_are_those_of_the_grown_zoo(tmp_path):
    small = tiny_recipe(temperature={"label": "learning rate", "values": [0.01, 0.05]}, stacking="stacked")
    plan = plan_of(small, jobs=1)
    zoo = build_zoo(small, tmp_path / "tiny", jobs=1, engine=Here()).zoo
    models = list(zoo.models(zoo.table.index))
    assert plan.checkpoints == len(models)
    assert plan.parameters == sum(p.numel() for model in models for p in model.module().parameters())
    floating = [t for model in models for t in model.state_dict().values() if t.is_floating_point()]
    assert plan.zoo_bytes == sum(4 * tensor.numel() for tensor in floating)


def test_operations_of_a_convolutional_network_by_hand():
    recipe = tiny_recipe()
    width = 2
    conv = 64 * 9 * width + 16 * 9 * width * 2 * width + 4 * 9 * (2 * width) ** 2
    assert forward_flops(recipe, plan_data(recipe), width) == 2 * (conv + 2 * width * 4 * 10)


def test_operations_of_a_physics_network_by_hand():
    recipe = load_recipe("pinn-convection", "paper")
    values = 2 * 50 + 3 * 50 * 50 + 50
    # Twice for the derivative; with 64 interior points come 16 initial ones and two ends of 16 times.
    assert forward_flops(recipe, plan_data(recipe), 1) == 2 * values * 2 * 112 / 64


def test_work_of_a_cell_by_hand():
    recipe = tiny_recipe(curve=TINY["curve"] | {"epochs": 7, "batch_size": 100})
    work = work_of_cell(recipe, plan_data(recipe), batch_size=40, normalised=True)
    assert work == CellWork(
        training=3 * 4 * 240,  # the runs go on for twice their 2 epochs
        curves=(3 + 3) * 7 * 200,  # three pairs twice, incomplete batches left out
        evaluation=3 * 3 * (2 * 240 + 120) + 3 * 2 * 120 + (6 + 3) * 5 * (2 * 240 + 120),  # and straight lines
        hessian=3 * (8 + 3) * (32 + 32),  # of both sides
    )


@pytest.mark.parametrize(("check", "epochs"), [("none", 2), ("longer", 6)])
def test_a_check_of_unfinished_cells_costs_its_epochs(check, epochs):
    recipe = tiny_recipe(unfinished_check=check)
    work = work_of_cell(recipe, plan_data(recipe), batch_size=40, normalised=True)
    assert work.training == 3 * epochs * 240


def test_totals_are_the_sum_over_loads_and_a_step_is_three_forward_passes():
    recipe = tiny_recipe()
    plan = plan_of(recipe, jobs=1)
    assert plan.operations.total == pytest.approx(sum(load.operations.total for load in plan.loads))
    for load in plan.loads:
        assert load.run_training == pytest.approx(3 * forward_flops(recipe, plan.data, load.load) * 4 * 240)
        assert load.operations.training == pytest.approx(9 * load.run_training)


@pytest.mark.parametrize(
    ("name", "train", "test", "shape"),
    [
        ("resnet18-cifar10", 50_000, 10_000, (3, 32, 32)),
        ("resnet50-svhn", 73_257, 26_032, (3, 32, 32)),
        ("resnet50-tiny-imagenet", 100_000, 10_000, (3, 64, 64)),
        ("gpt-openwebtext", (100_000_000 - 1) // 256, (1_000_000 - 1) // 256, (256,)),
    ],
)
def test_without_the_data_published_sizes_are_used(name, train, test, shape):
    data = plan_data(load_recipe(name, "paper"))
    assert (data.train_size, data.test_size, data.sample_shape) == (train, test, shape)
    assert not data.here
    assert "hf download" in data.note


def test_a_published_recipe_is_planned_offline_and_printed_plainly(capsys):
    plan = plan_of(load_recipe("vit-cifar10", "laptop"), jobs=2)
    print_plan(plan)
    shown = " ".join(capsys.readouterr().out.split())
    assert "108 in 36 cells of 3 seeds" in shown
    assert "made-up samples stood in" in shown
    assert "hf download uoft-cs/cifar10" in shown
    assert "optimisation.optimiser" in shown
    assert "\x1b" not in shown


def test_data_that_are_here_are_read(tmp_path, monkeypatch):
    write_images(tmp_path, "cifar10", train=40, test=20)
    write_text(tmp_path, "openwebtext")
    monkeypatch.setenv("WSLBENCH_DATA", str(tmp_path))
    some = load_recipe("resnet18-cifar10", "laptop").model_copy(update={"train_subset": 32, "test_subset": None})
    data = plan_data(some)
    assert data.here
    assert (data.train_size, data.test_size) == (32, 20)
    assert str(tmp_path) in data.note
    text = plan_data(load_recipe("gpt-openwebtext", "laptop"))
    assert text.here
    assert 0 < text.train_size < (262_144 - 1) // 64


def test_a_damaged_data_set_is_told_and_planned_around(tmp_path, monkeypatch):
    (tmp_path / "cifar10").mkdir()
    monkeypatch.setenv("WSLBENCH_DATA", str(tmp_path))
    data = plan_data(load_recipe("resnet18-cifar10", "paper"))
    assert not data.here
    assert data.train_size == 50_000
    assert "does not hold" in data.note


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"optimisation": TINY["optimisation"] | {"batch_size": 1201}}, "larger than the train set"),
        ({"architecture": {"builder": "cnn", "arguments": {"depth": 3}}}, "width 1.*depth"),
        ({"architecture": {"builder": "cnn", "arguments": {"in_channels": 3}}}, r"does not take samples.*\[1, 8, 8\]"),
    ],
)
def test_refusals(changes, named):
    with pytest.raises(RecipeError, match=named):
        plan_of(tiny_recipe(**changes), jobs=1)


def test_a_text_needs_a_context():
    recipe = load_recipe("gpt-openwebtext", "laptop")
    architecture = recipe.architecture.model_copy(update={"arguments": {"depth": 1, "heads": 1}})
    with pytest.raises(RecipeError, match="context"):
        plan_data(recipe.model_copy(update={"architecture": architecture}))


def test_wrong_arguments_of_generated_data_are_refused():
    with pytest.raises(DatasetError, match="interior"):
        plan_data(load_recipe("pinn-convection").model_copy(update={"data_arguments": {"interior": 0}}))


def test_the_fit_finds_the_cost_of_steps():
    true = np.array([2e-3, 3e-9, 5e-11])
    steps = [
        plan_time._Step(batch, 1e4 * width, 1e5 * width**2, 0.0) for batch in (8, 64, 512) for width in (2.0, 8.0, 32.0)
    ]
    timed = [step._replace(seconds=float(step.features @ true)) for step in steps]
    found, worst = plan_time._fit(timed, least_per_operation=1e-12)
    np.testing.assert_allclose(found, true, rtol=1e-6)
    assert worst < 1e-6


def test_no_fit_is_faster_than_the_processor():
    steps = [plan_time._Step(batch, 1e4, 1e5, 1e-3) for batch in (8, 16)]
    found, _ = plan_time._fit(steps, least_per_operation=1e-11)
    assert found[2] >= 1e-11


def test_blocks_are_shared_out_costliest_first():
    # 5 and 4 start; the processes then take 3 at 4, 3 at 5 and 3 at 7.
    assert plan_time._makespan([3, 5, 3, 4, 3], 2) == 10
    assert plan_time._makespan([3, 5], 4) == 5


def test_durations_in_words():
    assert duration(30) == "30 seconds"
    assert duration(90) == "1.5 minutes"
    assert duration(5.4 * 3600) == "5.4 hours"
    assert duration(40 * 86400) == "40 days"
    assert duration(10 * 365 * 86400) == "10 years"
