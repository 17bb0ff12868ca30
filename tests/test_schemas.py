"""The committed JSON Schemas are those that the models give, and an independent validator accepts what is committed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from typer.testing import CliRunner

from wslbench.bundled import bundled_path, embedded_zoos_path
from wslbench.cli import app
from wslbench.errors import WslbenchError
from wslbench.evaluation.older_results import upgraded
from wslbench.population.recipe_file import RECIPES_PATH
from wslbench.schemas import SCHEMAS, schema_text, write_schemas

COMMITTED = Path(__file__).resolve().parent.parent / "docs" / "schemas"
RESULT = bundled_path("results") / "spectral" / "digits-cnn.phase.json"

Document = dict[str, Any]


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((COMMITTED / f"{name}.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def document(path: Path) -> Document:
    text = path.read_text(encoding="utf-8")
    content: Document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return content


def present(record: Document) -> Document:
    """A result in today's schema."""
    newer = record if record["schema_version"] == 2 else upgraded(record)
    assert newer is not None
    return newer


def test_committed_schemas_are_those_that_the_models_give() -> None:
    """Where this fails, the models have changed: `wslbench schemas` writes the files anew."""
    assert {path.name for path in COMMITTED.iterdir()} == {f"{name}.schema.json" for name in SCHEMAS}
    for name in SCHEMAS:
        assert (COMMITTED / f"{name}.schema.json").read_text(encoding="utf-8") == schema_text(name), name


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas_and_say_what_they_describe(name: str) -> None:
    schema = json.loads((COMMITTED / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert "wslbench" in schema["title"]
    assert schema["description"]


def test_the_task_file_is_valid() -> None:
    validator("tasks").validate(document(bundled_path("tasks.yaml")))


@pytest.mark.parametrize("path", sorted(RECIPES_PATH.glob("*.yaml")), ids=lambda path: path.stem)
def test_recipes_are_valid(path: Path) -> None:
    validator("recipe").validate(document(path))


@pytest.mark.parametrize("path", sorted(embedded_zoos_path().glob("*/zoo.yaml")), ids=lambda path: path.parent.name)
def test_zoo_cards_are_valid(path: Path) -> None:
    validator("zoo-card").validate(document(path))


def test_results_and_audits_are_valid() -> None:
    results = sorted(bundled_path("results").glob("*/*.json"))
    audits = sorted(bundled_path("results").glob("*/audit/*.json"))
    assert len(results) > 100
    assert audits
    for name, paths in (("result", results[::5]), ("audit", audits)):
        against = validator(name)
        for path in paths:
            record = document(path)
            against.validate(present(record) if name == "result" else record)


def test_verifications_are_valid() -> None:
    """None have to be there."""
    for name, pattern in (("regrown-card", "*/zoo.json"), ("gap", "*/results/*/gap/*.json")):
        for path in sorted(bundled_path("verified").glob(pattern)):
            validator(name).validate(document(path))


def refused(name: str, content: Document, change: Callable[[Document], object]) -> str:
    """What the validator says of a document that it accepts, once it is changed."""
    against = validator(name)
    against.validate(content)
    changed = copy.deepcopy(content)
    change(changed)
    with pytest.raises(ValidationError) as caught:
        against.validate(changed)
    return caught.value.message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda record: record.pop("provenance"), "'provenance' is a required property"),
        (lambda record: record.update(extra=1), "'extra' was unexpected"),
        (lambda record: record.update(coverage=1.5), "1.5 is greater than the maximum of 1"),
        (lambda record: record.update(schema_version=1), "2 was expected"),
        (lambda record: record.update(status="fine"), "is not valid under any"),
        (lambda record: record["method"].update(privilege="all"), "'all' is not one of"),
    ],
)
def test_results_of_another_form_are_refused(change: Callable[[Document], object], expected: str) -> None:
    assert expected in refused("result", present(document(RESULT)), change)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda file: file["tasks"][0].update(colunm="phase"), "'colunm' was unexpected"),
        (lambda file: file["tasks"][0].update(version="1"), "'1' is not of type 'integer'"),
        (lambda file: file["tasks"][1].update(transform="probit"), "'probit' is not one of"),
        (lambda file: file["suites"].update({"Not a name": ["a.b"]}), "does not match any of the regexes"),
    ],
)
def test_task_files_of_another_form_are_refused(change: Callable[[Document], object], expected: str) -> None:
    assert expected in refused("tasks", document(bundled_path("tasks.yaml")), change)


def test_a_zoo_is_called_by_a_name() -> None:
    card = document(embedded_zoos_path() / "digits-cnn" / "zoo.yaml")
    assert "does not match" in refused("zoo-card", card, lambda card: card.update(name="../digits"))
    assert "does not match any" in refused("zoo-card", card, lambda card: card["architectures"].update({"a/b": {}}))


def test_a_recipe_of_one_scale_is_whole_and_scales_change_what_a_recipe_has() -> None:
    """What scales share need not be complete, and neither is what one changes, down through nested mappings."""
    one, several = (document(RECIPES_PATH / f"{name}.yaml") for name in ("digits-cnn", "resnet18-cifar10"))
    assert "scales" in several
    assert "'measured_epoch' is a required property" in refused("recipe", one, lambda file: file.pop("measured_epoch"))
    several["scales"]["paper"]["measured_epoch"] = several.pop("measured_epoch")
    validator("recipe").validate(several)
    laptop: Callable[[Document], Document] = lambda file: file["scales"]["laptop"]  # noqa: E731
    assert "'widths' was unexpected" in refused("recipe", several, lambda file: laptop(file).update(widths=[2]))
    assert "'epoch' was unexpected" in refused(
        "recipe", several, lambda file: laptop(file)["optimisation"].update(epoch=2)
    )
    assert "is not of type 'object'" in refused("recipe", several, lambda file: file.update(scales=["laptop"]))


def test_the_command_writes_every_schema(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["schemas", "--out", str(tmp_path / "new")])
    assert result.exit_code == 0
    written = sorted((tmp_path / "new").iterdir())
    assert sorted(result.stdout.split()) == [str(path) for path in written]
    assert {path.name: path.read_text() for path in written} == {
        path.name: path.read_text() for path in COMMITTED.iterdir()
    }


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WslbenchError, match="cannot be written"):
        write_schemas(tmp_path / "file")
