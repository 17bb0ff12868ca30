"""Recipe files: YAML with one scale, or with several that share most of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from wslbench.errors import RecipeError
from wslbench.foreign_text import read_bytes, yaml_objection
from wslbench.population.recipe import Recipe

RECIPES_PATH = Path(__file__).resolve().parent / "recipes"
DEFAULT_SCALE = "laptop"
_MAX_BYTES = 2**20  # YAML is slow to parse, and no recipe needs more


def recipe_names() -> list[str]:
    """The recipes that ship with wslbench."""
    return sorted(path.stem for path in RECIPES_PATH.glob("*.yaml"))


def load_recipe(name_or_path: str | Path, scale: str | None = None) -> Recipe:
    """Read a recipe that ships with wslbench, by name, or a YAML file.

    A file may have ``scales``: a mapping of names to what each changes in the rest of the file, field by field, down
    through nested mappings (a list or number takes the whole place of the other).

    Parameters
    ----------
    scale
        One of the file's scales; None: ``laptop`` where there are any. The zoo's name is the recipe's, with the scale
        added where it is not ``paper``: they are different zoos.

    Raises
    ------
    RecipeError
        If there is no such recipe or scale, or it is not valid; the message names file and field.
    """
    path = _recipe_path(name_or_path)
    content = _read(path)
    try:
        return Recipe.model_validate(_at_scale(content, scale, path))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'recipe'}: {e['msg']}" for e in error.errors())
        raise RecipeError(f"{path}: {problems}") from error


def scales_of(name_or_path: str | Path) -> list[str]:
    """The scales that a recipe file has, in its order; none: the file is one recipe.

    Raises
    ------
    RecipeError
        If there is no such recipe, or its file cannot be read.
    """
    return list(_read(_recipe_path(name_or_path)).get("scales") or {})


def _read(path: Path) -> dict[str, Any]:
    try:
        text = read_bytes(path, _MAX_BYTES).decode("utf-8")
        objection = yaml_objection(text)
        content: Any = None if objection else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read: {error}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none
        raise RecipeError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if objection is not None:
        raise RecipeError(f"{path}, line {objection.line}: {objection.reason}")
    if not isinstance(content, dict):
        raise RecipeError(f"{path}: a recipe is a mapping of fields, not {type(content).__name__}")
    return content


def _at_scale(content: dict[str, Any], scale: str | None, path: Path) -> dict[str, Any]:
    base = {field: value for field, value in content.items() if field != "scales"}
    scales = content.get("scales")
    if scales is None:
        if scale is not None:
            raise RecipeError(f"{path}: this recipe has no scales: leave --scale {scale} out")
        return base
    if not isinstance(scales, dict) or not all(isinstance(changes, dict) for changes in scales.values()):
        raise RecipeError(f"{path}: scales: a mapping of names to changed fields is asked for")
    chosen = DEFAULT_SCALE if scale is None else scale
    if chosen not in scales:
        raise RecipeError(f"{path}: there is no scale {chosen!r}: this recipe has {', '.join(scales)}")
    merged = _merge(base, scales[chosen]) | {"scale": chosen}
    if chosen != "paper":
        merged["name"] = f"{merged.get('name')}-{chosen}"
    return merged


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for field, value in changes.items():
        both = isinstance(value, dict) and isinstance(base.get(field), dict)
        merged[field] = _merge(base[field], value) if both else value
    return merged


def _recipe_path(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    shipped = RECIPES_PATH / f"{name_or_path}.yaml"
    if path.suffix not in {".yaml", ".yml"} and shipped.is_file():
        return shipped
    if path.is_file():
        return path
    known = ", ".join(recipe_names())
    raise RecipeError(f"no recipe {str(name_or_path)!r}: give a YAML file, or one that ships with wslbench: {known}")
