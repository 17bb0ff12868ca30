"""What a plan needs to know of a data set, whether or not its files are here: sizes, shapes, something to time on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from wslbench.datasets import ConvectionDataset, Dataset, TextDataset, load_dataset
from wslbench.datasets import _image_set as known
from wslbench.datasets._hub import HubFiles
from wslbench.datasets._places import local_folder
from wslbench.datasets.openwebtext import HUB as OPENWEBTEXT
from wslbench.datasets.openwebtext import TEST_IN
from wslbench.datasets.tiny_shakespeare import HUB as TINY_SHAKESPEARE
from wslbench.errors import DatasetError, RecipeError
from wslbench.population.blocks import Run
from wslbench.population.objective import make_objective, recipe_dataset
from wslbench.population.recipe import Recipe
from wslbench.training import Classification, Language, Objective

IMAGE_SETS = {
    image_set.name: image_set
    for image_set in (
        known.MNIST,
        known.FASHION_MNIST,
        known.CIFAR10,
        known.CIFAR100,
        known.SVHN,
        known.TINY_IMAGENET,
    )
}
TEXT_HUBS = {hub.data_set: hub for hub in (OPENWEBTEXT, TINY_SHAKESPEARE)}

SHAKESPEARE_TOKENS = 1_115_394
OPENWEBTEXT_BYTES = 39_800_000_000
BYTES_PER_GPT2_TOKEN = 4.4
"""Of English web text, on average."""

FEWEST_TOKENS = 257
"""A vocabulary that every language model is taken to have: bytes and a separator."""

STAND_IN_SAMPLES = 2048
"""Made-up samples that training is timed on where the real ones are not here."""


class PlanData(NamedTuple):
    """A recipe's data set as far as its cost goes.

    Attributes
    ----------
    train_size, test_size
        Samples: images, collocation and grid points, or windows of text.
    sample_shape
        Of one input.
    tokens
        Whether inputs are integers.
    here
        Whether the data are on this machine.
    note
        Where they come from, or how to get them.
    """

    train_size: int
    test_size: int
    sample_shape: tuple[int, ...]
    tokens: bool
    here: bool
    note: str

    def inputs(self, count: int, device: str) -> torch.Tensor:
        """Inputs ``[count, *sample_shape]`` that mean nothing."""
        return torch.zeros(
            count, *self.sample_shape, dtype=torch.int64 if self.tokens else torch.float32, device=device
        )


def plan_data(recipe: Recipe) -> PlanData:
    """Sizes and shapes of a recipe's data, from the files where they are here, else from what is published of them.

    Nothing is fetched from anywhere.
    """
    place = _place(recipe)
    if place is None:
        return _published(recipe)
    try:
        data = recipe_dataset(recipe)
    except DatasetError as error:
        return _published(recipe)._replace(note=str(error))
    if isinstance(data, ConvectionDataset):
        return PlanData(len(data.interior), len(data.grid), (2,), False, True, place)
    if isinstance(data, Dataset):
        shape = data.train_inputs.shape[1:]
        return PlanData(len(data.train_labels), len(data.test_labels), shape, False, True, place)
    sizes = (len(data.train_tokens), len(data.test_tokens))
    return _text(recipe, *sizes)._replace(here=True, note=place)


def timing_objective(recipe: Recipe, runs: list[Run], data: PlanData) -> Objective:
    """What runs are timed on: the real objective, or one of made-up samples of the same shape."""
    if data.here:
        return make_objective(recipe, runs)
    generator = np.random.default_rng(0)
    count = min(data.train_size, STAND_IN_SAMPLES)
    if data.tokens:
        vocabulary = int(str(recipe.architecture.arguments.get("vocabulary", FEWEST_TOKENS)))
        tokens = generator.integers(0, vocabulary, count * data.sample_shape[0] + 1).astype(np.uint32)
        return Language(TextDataset(recipe.data_set, tokens, tokens, vocabulary), data.sample_shape[0])
    image_set = IMAGE_SETS[recipe.data_set]
    images = torch.from_numpy(generator.integers(0, 256, (count, *data.sample_shape), dtype=np.uint8))
    labels = torch.from_numpy(generator.integers(0, image_set.classes, count))
    return Classification(
        images, labels, images, labels, image_set.classes, recipe.augmentation, image_set.mean, image_set.std
    )


def _place(recipe: Recipe) -> str | None:
    """Where the files are on this machine, in words; None if they are not."""
    name = recipe.data_set
    if name not in IMAGE_SETS and name not in TEXT_HUBS:
        load_dataset(name, **recipe.data_arguments)
        return "made by wslbench itself, or part of a package that it needs"
    folder = local_folder(name)
    if folder is not None:
        return f"in {folder}"
    hub = _hub(recipe)
    files = hub.files[:1] if name == OPENWEBTEXT.data_set and "limit_bytes" in recipe.data_arguments else hub.files
    return "in the hub's cache on this machine" if all(_cached(hub, file) for file in files) else None


def _cached(hub: HubFiles, file: str) -> bool:
    import huggingface_hub

    found = huggingface_hub.try_to_load_from_cache(hub.repository, file, revision=hub.revision, repo_type=hub.kind)
    return isinstance(found, str)


def _hub(recipe: Recipe) -> HubFiles:
    return IMAGE_SETS[recipe.data_set].hub if recipe.data_set in IMAGE_SETS else TEXT_HUBS[recipe.data_set]


def _published(recipe: Recipe) -> PlanData:
    how = f"not on this machine: wslbench fetches them when the zoo is built; offline, {_hub(recipe).how_to_get_them}"
    if recipe.data_set not in IMAGE_SETS:
        return _text(recipe, *_published_tokens(recipe))._replace(note=how)
    image_set = IMAGE_SETS[recipe.data_set]
    train, test = _at_most(image_set.train_size, recipe.train_subset), _at_most(image_set.test_size, recipe.test_subset)
    return PlanData(train, test, image_set.shape, False, False, how)


def _published_tokens(recipe: Recipe) -> tuple[int, int]:
    if recipe.data_set == TINY_SHAKESPEARE.data_set:
        train = SHAKESPEARE_TOKENS * 9 // 10
        return train, SHAKESPEARE_TOKENS - train
    limit = recipe.data_arguments.get("limit_bytes", OPENWEBTEXT_BYTES)
    each = BYTES_PER_GPT2_TOKEN if recipe.data_arguments.get("tokens") == "gpt2" else 1.0
    if not isinstance(limit, int | float):
        raise RecipeError(f"recipe {recipe.name!r}: data_arguments.limit_bytes is a number of bytes, not {limit!r}")
    tokens = int(limit / each)
    return tokens - tokens // TEST_IN, tokens // TEST_IN


def _text(recipe: Recipe, train_tokens: int, test_tokens: int) -> PlanData:
    context = recipe.architecture.arguments.get("context")
    if not isinstance(context, int):
        raise RecipeError(f"recipe {recipe.name!r}: architecture.arguments.context is missing: a text needs it")
    train, test = _at_most(train_tokens, recipe.train_subset), _at_most(test_tokens, recipe.test_subset)
    return PlanData((train - 1) // context, (test - 1) // context, (context,), True, False, "")


def _at_most(available: int, wanted: int | None) -> int:
    return available if wanted is None else min(available, wanted)
