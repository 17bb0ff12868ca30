"""A cache of zoos that were grown again: each is grown once a recipe and secret, and goes on where it was stopped."""

from __future__ import annotations

from pathlib import Path

from wslbench.engines import Engine
from wslbench.errors import ZooError
from wslbench.population.build import Report, build_zoo, fingerprint
from wslbench.population.recipe import Recipe
from wslbench.population.seed_secret import SeedSecret
from wslbench.zoo import Zoo
from wslbench.zoo.hashing import hash_json


def regrown_path(recipe: Recipe, secret: SeedSecret, cache: Path) -> Path:
    """Where the zoo of a recipe and a secret stands; its name tells nothing but that they are the same."""
    rule = {"cutoffs": recipe.model_dump(mode="json")["cutoffs"], "connectivity_noise": recipe.connectivity_noise}
    return cache / f"{recipe.name}-{hash_json(fingerprint(recipe, secret) | rule)[:16]}"


def regrown_zoo(
    recipe: Recipe,
    secret: SeedSecret,
    cache: Path,
    jobs: int = 2,
    report: Report | None = None,
    engine: Engine | None = None,
) -> Zoo:
    """The zoo of a recipe and a secret: out of the cache, or grown into it.

    Parameters
    ----------
    recipe
        With cut-offs; see :func:`with_frozen_cutoffs`.
    jobs, report, engine
        As :func:`build_zoo` has them.

    Raises
    ------
    ZooError, RecipeError, DatasetError
        As :func:`build_zoo`; ZooError also if what stands in the cache was not grown from this secret.
    """
    path = regrown_path(recipe, secret, cache)
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        return build_zoo(recipe, path, jobs, report, engine, secret=secret).zoo
    zoo = Zoo(path)
    if zoo.card.recipe.get("seed_commitment") != secret.commitment:
        raise ZooError(f"{path} was not grown from this seed secret: remove it, or choose another --zoo-cache")
    return zoo
