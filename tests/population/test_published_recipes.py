"""The twelve published zoos as recipes: sizes as published, and each laptop scale grown for a few steps."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.datasets.hub_layout import LAYOUTS, write_images, write_text
from tests.engines.here import Here
from wslbench.engines import make_engine
from wslbench.landscape import ORDER_PARAMETERS
from wslbench.population.build import build_zoo
from wslbench.population.recipe import Recipe
from wslbench.population.recipe_file import RECIPES_PATH, load_recipe, scales_of
from wslbench.zoo import verify

POWERS = [2**exponent for exponent in range(1, 11)]
RESNETS = {
    f"{network}-{data.replace('_', '-')}": (network, data)
    for network in ("resnet18", "resnet50")
    for data in ("svhn", "cifar10", "cifar100", "tiny_imagenet")
}
RUNS = dict.fromkeys(RESNETS, 192) | {
    "vit-cifar10": 147,
    "vit-cifar100": 147,
    "gpt-openwebtext": 264,
    "pinn-convection": 700,
}
CLASSES = {"svhn": 10, "cifar10": 10, "cifar100": 100, "tiny_imagenet": 200}

# Names and shapes as torchvision, timm, Hugging Face transformers and plain lists of layers have them, at the
# smallest load: width 2, dimension 6 or 8.
PUBLISHED_TENSORS = {
    "resnet18": {
        "conv1.weight": (2, 3, 3, 3),
        "layer1.0.bn1.running_var": (2,),
        "layer4.1.conv2.weight": (16, 16, 3, 3),
    },
    "resnet50": {"layer1.0.downsample.0.weight": (8, 2, 1, 1), "layer4.2.conv3.weight": (64, 16, 1, 1)},
    "vit": {"cls_token": (1, 1, 6), "blocks.2.attn.qkv.weight": (18, 6), "head.weight": (None, 6)},
    "gpt": {"transformer.wte.weight": (257, 8), "transformer.h.1.attn.c_attn.weight": (8, 24)},
    "mlp": {"layers.0.weight": (50, 2), "layers.4.bias": (1,)},
}


def runs_of(recipe):
    return len(list(recipe.cells())) * recipe.seeds


@pytest.mark.parametrize(("name", "runs"), RUNS.items())
def test_published_sizes_and_a_laptop_grid(name, runs):
    assert scales_of(name) == ["paper", "laptop"]
    paper, laptop = load_recipe(name, "paper"), load_recipe(name, "laptop")
    assert runs_of(paper) == runs
    assert paper.name == name
    assert paper.unfinished_check == "none"
    assert laptop.name == f"{name}-laptop"
    assert min(len(laptop.load.values), len(laptop.temperature.values)) >= 5
    assert laptop.seeds >= 3
    assert laptop.unfinished_check != "none"
    assert laptop.data_set == paper.data_set
    assert laptop.architecture.builder == paper.architecture.builder
    assert laptop.optimisation.schedule == paper.optimisation.schedule
    for recipe in (paper, laptop):
        assert "2504.18072" in recipe.card.citation
        assert "not the authors' weights" in recipe.card.citation
        for load in recipe.load.values:
            assert recipe.architecture_of(load).parameters() > 0


@pytest.mark.parametrize(("name", "network", "data"), [(name, *parts) for name, parts in RESNETS.items()])
def test_resnet_zoos_are_the_published_ones(name, network, data):
    recipe = load_recipe(name, "paper")
    assert recipe.data_set == data
    assert recipe.architecture.builder == network
    assert recipe.architecture.arguments["classes"] == CLASSES[data]
    assert recipe.load.values == POWERS[:8]
    assert recipe.temperature.values == POWERS[2:]
    assert (recipe.temperature.sets, recipe.seeds) == ("batch_size", 3)
    tiny = data == "tiny_imagenet"
    on_cifar = {"resnet18": 115, "resnet50": 125}[network]
    on_tiny = {"resnet18": 90, "resnet50": 100}[network]
    assert recipe.optimisation.epochs == (100 if tiny else 150)
    assert recipe.measured_epoch == (on_tiny if tiny else 135 if data == "svhn" else on_cifar)
    how = recipe.optimisation
    assert (how.optimiser, how.learning_rate, how.momentum, how.weight_decay) == ("sgd", 0.1, 0.9, 5e-4)
    assert how.schedule == "one_cycle"
    augmentation = recipe.augmentation
    assert (augmentation.crop_padding, augmentation.rotation, augmentation.shift) == (4, 20, 0)
    assert augmentation.flip == (data != "svhn")


def test_the_resnets_have_the_published_numbers_of_parameters():
    recipe = load_recipe("resnet18-cifar10", "paper")
    assert recipe.architecture_of(2).parameters() == 11_420
    assert recipe.architecture_of(64).parameters() == pytest.approx(11.17e6, rel=1e-3)


def test_vision_transformers_have_the_published_grid():
    for name, classes in (("vit-cifar10", 10), ("vit-cifar100", 100)):
        recipe = load_recipe(name, "paper")
        assert recipe.architecture.arguments["classes"] == classes
        assert recipe.load.values == [6, 12, 24, 48, 60, 96, 192]
        assert recipe.temperature.values == POWERS[2:9]
        assert (recipe.optimisation.learning_rate, recipe.optimisation.epochs) == (0.006, 300)


def test_physics_networks_vary_coefficient_and_rate():
    recipe = load_recipe("pinn-convection", "paper")
    assert (recipe.load.sets, recipe.temperature.sets) == ("coefficient", "learning_rate")
    assert recipe.seeds >= 4
    assert recipe.connectivity_noise == 2


@pytest.mark.parametrize("name", RUNS)
def test_what_is_unpublished_names_fields(name):
    text = yaml.safe_load((RECIPES_PATH / f"{name}.yaml").read_text(encoding="utf-8"))
    assert text["unpublished"]
    if name not in RESNETS:
        assert {"architecture.arguments", "curve", "hessian"} <= set(text["unpublished"])
    for path in text["unpublished"]:
        place = text
        for field in path.split("."):
            assert field in place, path
            place = place[field]


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in LAYOUTS:
        write_images(folder, name, train=16, test=8, classes=2)  # few enough that no network looks dead
    write_text(folder, "openwebtext")
    return folder


@pytest.fixture(autouse=True)
def _own_data(data_folder, monkeypatch):
    monkeypatch.setenv("WSLBENCH_DATA", str(data_folder))
    monkeypatch.setenv("WSLBENCH_CACHE", str(data_folder / "cache"))


def few_steps(recipe: Recipe) -> Recipe:
    """The two smallest cells of a recipe, and of everything else as little as it allows."""
    plain = recipe.model_dump()
    plain["load"]["values"] = plain["load"]["values"][:2]
    plain["temperature"]["values"] = plain["temperature"]["values"][:1]
    annealed = recipe.measured_epoch == recipe.optimisation.epochs
    # A cycle that begins at its peak: the usual first rates would not move a network in so few steps.
    plain["optimisation"] |= {"epochs": 3, "warmup_epochs": 0, "one_cycle_start": 1}
    plain["measured_epoch"] = 3 if annealed else 2
    plain["curve"] |= {"epochs": 1, "batch_size": 8}
    plain["hessian"] = {"subset_size": 4, "maximum_probes": 8, "lanczos_iterations": 2}
    plain["cutoffs"] = {"train_loss": 1.0, "cka": 0.5}
    plain["stacking"] = "stacked"  # what is faster need not be measured here
    if recipe.data_set == "convection":
        plain["data_arguments"] = {"interior": 128, "initial": 32, "boundary": 32}
        plain["optimisation"] |= {"epochs": 40, "batch_size": 32}
        plain["measured_epoch"] = 40
        plain["temperature"]["values"] = recipe.temperature.values[-2:-1]
        return Recipe.model_validate(plain)
    if recipe.data_set == "openwebtext":
        plain["optimisation"] |= {"epochs": 10, "learning_rate": 0.02}
        plain["measured_epoch"] = 10
        context = recipe.architecture.arguments["context"]
        return Recipe.model_validate(plain | {"train_subset": 12 * context + 1, "test_subset": 4 * context + 1})
    if recipe.data_set != "svhn" or recipe.architecture.builder == "resnet50":
        plain["unfinished_check"] = "none"  # the check of unfinished cells takes as long again: once will do
    return Recipe.model_validate(plain | {"train_subset": 16, "test_subset": 8})


# Images and text here; other networks, and the same with other data, are in the long run (`pytest -m slow`).
QUICK = {"resnet18-svhn", "gpt-openwebtext"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in RUNS])
def test_the_two_smallest_cells_of_the_laptop_scale_become_a_zoo(name, tmp_path):
    recipe = few_steps(load_recipe(name, "laptop"))
    # One of them as the command line does it, in a worker process.
    engine = make_engine("local", 1) if name == "vit-cifar10" else Here()
    zoo, notes = build_zoo(recipe, tmp_path / name, jobs=2, engine=engine)
    assert verify(zoo) == []
    table = zoo.table
    assert len(table) == 2 * recipe.seeds
    assert table["measured"].all()
    measured = [*ORDER_PARAMETERS, "hessian_trace", "hessian_top_eigenvalue", "loss_slope"]
    assert np.isfinite(table[measured].to_numpy(dtype=np.float64)).all()
    assert table["cka"].between(0, 1 + 1e-9).all()
    # A cell with a run that learnt nothing in so few steps has no phase; not both are such.
    dead = table.groupby("cell_id")["dead"].any()
    assert (table.groupby("cell_id")["phase"].count().eq(0) == dead).all()
    assert not dead.all(), notes
    state = zoo.models(table.index)[0].state_dict()
    for tensor, shape in PUBLISHED_TENSORS[recipe.architecture.builder].items():
        assert tensor in state
        if table.loc[table.index[0], recipe.load.column] == recipe.load.values[0]:
            assert all(size in (None, own) for size, own in zip(shape, state[tensor].shape, strict=True)), tensor
