"""The phase report of a zoo: one page, its figures, and all its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wslbench.annotation.report.contents import Contents, contents_of
from wslbench.annotation.report.drawing import draw_pictures
from wslbench.annotation.report.files import RECORD, checked_destination, write_folder
from wslbench.annotation.report.measurements import measurements
from wslbench.annotation.report.page import page
from wslbench.annotation.report.tables import cells_csv, health_csv

if TYPE_CHECKING:
    from wslbench.zoo import Zoo

__all__ = ["Contents", "write_report"]


def write_report(zoo: Zoo, folder: Path) -> Contents:
    """Write ``index.html``, its figures, ``cells.csv``, ``health.csv`` and ``report.json`` to a folder.

    The same zoo gives the same bytes. A folder that holds an earlier report is replaced as a whole.

    Returns
    -------
    Contents
        What the page says.

    Raises
    ------
    ZooError
        If the folder is a file, holds anything else, or cannot be written; or the zoo lacks its axes.
    LandscapeError
        If two cells stand at one place of the grid.
    """
    folder = checked_destination(folder)
    measured = measurements(zoo)
    contents = contents_of(zoo, measured)
    pictures = draw_pictures(measured, contents)
    files = {"index.html": page(contents, pictures)}
    for picture in (picture for section in pictures.values() for picture in section):
        files |= {f"{picture.name}.svg": picture.light, f"{picture.name}-dark.svg": picture.dark}
    files |= {"cells.csv": cells_csv(measured), "health.csv": health_csv(contents.health)}
    contents = contents.model_copy(update={"files": (*sorted([*files, RECORD]),)})
    write_folder(folder, files | {RECORD: contents.model_dump_json(indent=1) + "\n"})
    return contents
