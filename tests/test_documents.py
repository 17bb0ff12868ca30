"""Documents name commands, options and files that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from wslbench.cli import app

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("CONTRIBUTING.md", "README.md", "docs/importing.md", "docs/recipes.md", ".github/PULL_REQUEST_TEMPLATE.md")
WORKFLOWS = (".github/workflows/submission.yml", ".ci/run")


def commands() -> Iterator[str]:
    """Every ``wslbench …`` in code, without what stands behind a comment's sign."""
    for name in DOCUMENTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
        spans = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        for code in [line for block in blocks for line in block.splitlines()] + [
            " ".join(span.split()) for span in spans
        ]:
            yield from re.findall(r"(?:^|&& )wslbench ([a-z][^#|]*)", code.strip())
    for name in WORKFLOWS:
        yield from re.findall(r"^\s*wslbench ([a-z][^|<>\n]*)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("line", sorted({command.strip() for command in commands()}))
def test_a_command_that_is_named_exists_with_its_options(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = line.split()
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    assert command.name != "wslbench", f"there is no command {line.split()[0]!r}"
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    asked = {word.split("=")[0] for word in words if word.startswith("--")} - {"--help"}
    assert asked <= known
    if getattr(command, "commands", None) and words and not words[0].startswith("-"):
        pytest.fail(f"{command.name} has no command {words[0]!r}")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    document = ROOT / name
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target
