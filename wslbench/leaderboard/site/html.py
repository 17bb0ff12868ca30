"""From templates to HTML: all that is foreign is escaped, and holds nothing that could turn a page around."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from wslbench.annotation.report.record import printable
from wslbench.leaderboard.columns import number, with_ends

_TEMPLATES: Final = Path(__file__).parent / "templates"


def render(template: str, **content: Any) -> str:
    """One page; ``content`` is what the template names."""
    return _environment().get_template(template).render(content)


def visible(value: Any) -> Any:
    """A text without control and bidirectional characters; markup of our own, and what is no text, as it is.

    Every expression of every template goes through it: no caller has to think of it.
    """
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return printable(value)


def assets() -> dict[str, str]:
    """Style and script of all pages, by file name: beside the pages, for each of seventy would carry its own copy."""
    return {name: (_TEMPLATES / name).read_text(encoding="utf-8") for name in ("site.css", "site.js")}


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": number,
        "ends": lambda estimate: with_ends(*estimate[:3]),
        "breakable": lambda text: breakable(str(escape(visible(text)))),
    }
    return environment


def breakable(html: str) -> Markup:
    """Escaped text whose long names break where their words do."""
    return Markup(html.replace("_", "_<wbr>").replace("@", "<wbr>@"))  # a caller has escaped it
