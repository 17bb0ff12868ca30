"""``wslbench zoo annotate``: order parameters, phases and splits for a zoo that was not built here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wslbench.cli.engine_name import EngineName

if TYPE_CHECKING:
    from rich.console import Console

    from wslbench.annotation.annotate_zoo import AnnotatedZoo
    from wslbench.annotation.options import AnnotationOptions
    from wslbench.zoo import Zoo


def annotate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The zoo's folder; its annotations are replaced.")],
    definition: Annotated[
        str | None,
        typer.Option(
            "--definition", help="wslbench, ptmz, yang2021, or a YAML file: how order parameters are computed."
        ),
    ] = None,
    data_set: Annotated[
        str | None, typer.Option("--data-set", help="What the networks were trained on, if the card does not say.")
    ] = None,
    options: Annotated[
        Path | None,
        typer.Option("--options", help="YAML file: data, augmentation, curve, pairs, cut-offs; fields as in a recipe."),
    ] = None,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="local: processes here. ray: a cluster, or one started here.")
    ] = EngineName.local,
    address: Annotated[
        str | None, typer.Option("--address", help="Of an existing Ray cluster: auto, host:port or ray://host:port.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes, of one thread each.")] = 2,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
) -> None:
    """Measure every cell of a zoo, name its phases, make its splits; goes on where an interrupted call stopped.

    The weights stay the very same files; the card's annotation version goes up by one.
    """
    from rich.console import Console

    from wslbench.annotation.annotate_zoo import open_zoo
    from wslbench.annotation.options import options_of

    zoo = open_zoo(folder)
    settled = options_of(zoo, options, definition, data_set)
    console = Console(stderr=True)
    finished = _annotate(zoo, settled, engine, address, jobs, device, console)
    for note in finished.notes:
        console.print(note, markup=False, highlight=False)
    counts = finished.zoo.cells["phase"].value_counts().sort_index()
    phases = ", ".join(f"{phase} {count}" for phase, count in counts.items()) or "no phases"
    version = finished.zoo.card.annotation_version
    console.print(f"annotated: {finished.zoo.path}, version {version}: {phases}", markup=False, highlight=False)


def _annotate(
    zoo: Zoo,
    options: AnnotationOptions,
    engine: EngineName,
    address: str | None,
    jobs: int,
    device: str,
    console: Console,
) -> AnnotatedZoo:
    from wslbench.annotation.annotate_zoo import annotate_zoo, staging_folder
    from wslbench.cli._work_progress import work_progress
    from wslbench.engines import make_engine

    runner = make_engine(engine.value, jobs, address)
    data, how = options.data_set, options.definition
    console.print(
        f"{zoo.name}: data set {data}, definition {how}, engine {engine.value}", markup=False, highlight=False
    )
    try:
        with work_progress("measuring", console) as told:
            return annotate_zoo(zoo, options, runner, told, device)
    except KeyboardInterrupt:
        console.print(
            f"interrupted; what is measured is kept in {staging_folder(zoo.path)}: the same command goes on from there",
            markup=False,
            highlight=False,
        )
        raise typer.Exit(130) from None
