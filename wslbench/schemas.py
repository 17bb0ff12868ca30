"""JSON Schemas of what people write and send: results, audits, verifications, task files, recipes, zoo cards.

They follow from the models that wslbench itself reads these files with. A schema knows form alone: what needs another
file, or two fields at once (a suite's members, whether a recipe's schedule suits its check), the commands check.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel

from wslbench.errors import WslbenchError
from wslbench.evaluation.audit_schema import AuditRecord
from wslbench.evaluation.result_schema import ResultRecord
from wslbench.evaluation.verified_schema import GapRecord, RegrownCard
from wslbench.population.recipe import Recipe
from wslbench.tasks.schema import TasksFile
from wslbench.zoo.atomic import write_text
from wslbench.zoo.schema import ZooCard

JsonSchema = dict[str, Any]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def _result() -> JsonSchema:
    return _of(ResultRecord, "Result record of wslbench (leaderboard/results/METHOD/TASK.json)")


def _audit() -> JsonSchema:
    return _of(AuditRecord, "Audit record of wslbench (leaderboard/results/METHOD/audit/TASK.json)")


def _regrown_card() -> JsonSchema:
    return _of(RegrownCard, "Card of a re-grown zoo of wslbench (leaderboard/verified/ZOO-COMMITMENT/zoo.json)")


def _gap() -> JsonSchema:
    return _of(GapRecord, "Gap of wslbench (leaderboard/verified/ZOO-COMMITMENT/results/METHOD/gap/TASK.json)")


def _tasks() -> JsonSchema:
    return _of(TasksFile, "Task file of wslbench (tasks.yaml)")


def _zoo_card() -> JsonSchema:
    return _of(ZooCard, "Card of a zoo of wslbench (zoo.yaml)")


def _recipe() -> JsonSchema:
    """A whole recipe, or one with scales: what they share, and what each changes in it, neither of them complete."""
    whole = Recipe.model_json_schema(mode="validation")
    parts = whole.pop("$defs")
    changes = _without_required(whole)
    shared = {**changes, "properties": {**changes["properties"], "scales": _scales()}}
    return {
        **_head("Recipe of wslbench (recipes/NAME.yaml)", Recipe),
        "type": "object",
        "if": {"required": ["scales"]},
        "then": {"$ref": "#/$defs/SharedByScales"},
        "else": {"$ref": "#/$defs/Recipe"},
        "$defs": {
            **parts,
            **{f"{name}Changes": _without_required(part) for name, part in parts.items()},
            "Recipe": whole,
            "RecipeChanges": changes,
            "SharedByScales": shared,
        },
    }


SCHEMAS: Final[Mapping[str, Callable[[], JsonSchema]]] = MappingProxyType(
    {
        "result": _result,
        "audit": _audit,
        "regrown-card": _regrown_card,
        "gap": _gap,
        "tasks": _tasks,
        "recipe": _recipe,
        "zoo-card": _zoo_card,
    }
)
"""What makes each schema, by name."""


def schema_text(name: str) -> str:
    """One of :data:`SCHEMAS`, as the file that is committed."""
    return json.dumps(SCHEMAS[name](), indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema to ``<name>.schema.json`` in a folder; their paths.

    Raises
    ------
    WslbenchError
        If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{name}.schema.json" for name in SCHEMAS]
        for path, name in zip(paths, SCHEMAS, strict=True):
            write_text(path, schema_text(name))
    except OSError as error:
        raise WslbenchError(f"The schemas cannot be written to {folder}: {error}") from error
    return paths


def _of(model: type[BaseModel], title: str) -> JsonSchema:
    schema = _without_unnamed(model.model_json_schema(mode="validation"))
    return {**_head(title, model), **{key: part for key, part in schema.items() if key not in {"title", "description"}}}


def _head(title: str, model: type[BaseModel]) -> JsonSchema:
    return {"$schema": _DIALECT, "title": title, "description": inspect.getdoc(model)}


def _scales() -> JsonSchema:
    return {
        "type": "object",
        "description": "What each scale changes in the rest of the file, field by field, by the scale's name.",
        "minProperties": 1,
        "additionalProperties": {"$ref": "#/$defs/RecipeChanges"},
    }


def _without_unnamed(schema: Any) -> Any:
    """A schema in which a mapping that says how its keys look has no others."""
    if isinstance(schema, list):
        return [_without_unnamed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _without_unnamed(part) for key, part in schema.items()}
    return {"additionalProperties": False, **changed} if "patternProperties" in changed else changed


def _without_required(schema: Any) -> Any:
    """A schema in which no field of any object has to be there; what fields mean stands in the whole one."""
    if isinstance(schema, list):
        return [_without_required(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {
        key: _without_required(part)
        for key, part in schema.items()
        if key != "required" and not (key == "description" and isinstance(part, str))
    }
    if "$ref" in changed:
        changed["$ref"] = f"{changed['$ref']}Changes"
    return changed
