"""From a recipe to the same recipe with the frozen cut-offs of its public zoo, to grow that zoo again."""

from __future__ import annotations

from pydantic import ValidationError

from wslbench.errors import RecipeError
from wslbench.landscape import PhaseCutoffs
from wslbench.population.recipe import Recipe
from wslbench.zoo import Zoo, ZooCard

_NETWORKS = (
    "name",
    "data_set",
    "data_arguments",
    "train_subset",
    "test_subset",
    "label_noise",
    "architecture",
    "load",
    "temperature",
    "seeds",
    "optimisation",
    "augmentation",
    "early_epoch",
    "measured_epoch",
)
"""The fields that decide what networks a zoo holds. Others may have come later than a zoo, or been annotated anew."""


def with_frozen_cutoffs(recipe: Recipe, public: Zoo) -> Recipe:
    """The recipe, with the cut-offs of the public zoo that was grown from it.

    Cut-offs fitted to the grown-again zoo would move with its networks: its cells would be called III and IV by another
    rule than those that a method learned from. A recipe that has cut-offs of its own keeps them: so did its public zoo.

    Raises
    ------
    RecipeError
        If the public zoo was grown from another recipe, or its card has no frozen cut-offs.
    """
    recorded = _recorded(public.card)
    for name in _NETWORKS:
        if getattr(recorded, name) != getattr(recipe, name):
            raise RecipeError(
                f"zoo {public.name!r} at {public.path} was grown from another recipe than {recipe.name!r}: they differ "
                f"in {name}; its cut-offs cannot be carried over"
            )
    if recipe.cutoffs is not None:
        return recipe
    stored = (public.card.phase_rule or {}).get("cutoffs")
    try:
        frozen = PhaseCutoffs.model_validate(stored)
    except ValidationError as error:
        raise RecipeError(
            f"the card of zoo {public.name!r} has no frozen cut-offs that could be carried over"
        ) from error
    # How separable the public cells were is no property of the new ones.
    given = PhaseCutoffs(train_loss=frozen.train_loss, cka=frozen.cka, mode_connectivity=frozen.mode_connectivity)
    return recipe.model_copy(update={"cutoffs": given})


def _recorded(card: ZooCard) -> Recipe:
    """The recipe that a card holds; fields that it lacks had their default."""
    fields = {name: value for name, value in card.recipe.items() if name in Recipe.model_fields}
    words = {name: getattr(card, name) for name in ("description", "licence", "citation", "modality")}
    try:
        return Recipe.model_validate(fields | {"card": words})
    except ValidationError as error:
        raise RecipeError(f"the card of zoo {card.name!r} holds no recipe that it could be grown from") from error
