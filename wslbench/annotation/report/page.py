"""The page: the report's contents and figures in one HTML file, which needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from wslbench.annotation.report.contents import Contents
from wslbench.annotation.report.drawing import Picture
from wslbench.annotation.report.numbers import hundredths, percent, shown, thousandths, with_error
from wslbench.landscape import PHASES

_TEMPLATE = "page.html.j2"
_MOST_NOTES = 30
"""Rows of a list on the page; the file beside it has all."""


def page(contents: Contents, pictures: Mapping[str, Sequence[Picture]]) -> str:
    """The HTML of ``index.html``; all that comes from the zoo is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        function.__name__: function for function in (shown, hundredths, thousandths, percent, with_error)
    }
    template = environment.get_template(_TEMPLATE)
    return template.render(report=contents, pictures=pictures, phases=PHASES, most_notes=_MOST_NOTES)
