"""``wslbench zoo import``: bring a foreign zoo into the zoo format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from wslbench.architectures import Architecture


def import_(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="The foreign zoo's folder.")],
    layout: Annotated[
        str,
        typer.Option(
            "--format", help="Its layout: state-dicts, ptmz, modelzoo or smallcnn; table for an exported one."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Where the zoo will stand; must not exist yet.")],
    train_size: Annotated[
        int | None, typer.Option("--train-size", min=1, help="Train samples of the networks' data.")
    ] = None,
    architecture: Annotated[
        str | None,
        typer.Option(
            "--architecture",
            help="Builder and arguments: 'mlp in_features=5 hidden=[50,50] ...'; width=@COLUMN takes a column's value. "
            "[default: what the files say; else tensors by name, for methods that read weights alone]",
        ),
    ] = None,
    load: Annotated[
        str | None, typer.Option("--load", help="The column that is the load axis. [default: the layout's]")
    ] = None,
    temperature: Annotated[
        str | None, typer.Option("--temperature", help="The column that is the temperature axis.")
    ] = None,
    data_set: Annotated[str, typer.Option("--data-set", help="Name of the networks' data.")] = "unknown",
    test_size: Annotated[
        int | None, typer.Option("--test-size", min=1, help="Its test samples, which the logit scale needs.")
    ] = None,
    metadata: Annotated[
        Path | None, typer.Option("--metadata", help="CSV, first column the file. [default: SOURCE/metadata.csv]")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The zoo's name. [default: that of the folder]")] = None,
    licence: Annotated[str, typer.Option("--licence", help="The weights' licence.")] = "unknown",
    citation: Annotated[str, typer.Option("--citation", help="Whom to cite.")] = "unknown",
    description: Annotated[str, typer.Option("--description", help="What the zoo is, in a sentence.")] = "",
    modality: Annotated[str, typer.Option("--modality", help="Its data: images, text, physics, …")] = "unknown",
    rounded: Annotated[
        bool, typer.Option("--round", help="Round numbers that float32 cannot hold exactly (float64), and say so.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at weights that are not finite, instead of leaving them out.")
    ] = False,
) -> None:
    """Import a zoo, verified; goes on where an earlier, interrupted call stopped. Phases are not invented.

    Networks whose weights are not finite are left out, and named.

    A folder that `wslbench zoo export` wrote needs no options: it comes back as it was.
    """
    from rich.console import Console

    from wslbench.cli._work_progress import work_progress
    from wslbench.interop import ImportOptions, import_zoo, left_out

    destination = out.absolute()
    options = ImportOptions(
        name=name or destination.name,
        architecture=None if architecture is None else _architecture(architecture),
        load=load,
        temperature=temperature,
        data_set=data_set,
        train_size=train_size,
        test_size=test_size,
        metadata=metadata,
        licence=licence,
        citation=citation,
        description=description,
        modality=modality,
        strict=strict,
        rounded=rounded,
    )
    with work_progress("importing", Console(stderr=True)) as told:
        zoo = import_zoo(source, layout, destination, options, told)
    splits = ", ".join(zoo.protocols) or "none"
    typer.echo(f"imported at {zoo.path}: {len(zoo.table)} checkpoints, splits: {splits}")
    if (missing := left_out.told(zoo.card)) is not None:
        typer.echo(missing)


def _architecture(text: str) -> Architecture:
    import shlex

    import yaml
    from pydantic import ValidationError

    from wslbench.architectures import Architecture
    from wslbench.errors import ArchitectureError

    builder, *pairs = shlex.split(text) or [""]
    try:
        arguments = {
            # YAML keeps the sign that means a column here for itself.
            key: value if value.startswith("@") else yaml.safe_load(value)
            for key, value in (pair.split("=", 1) for pair in pairs)
        }
        return Architecture(builder=builder, arguments=arguments)
    except (ValueError, yaml.YAMLError, ValidationError) as error:
        raise ArchitectureError(f"--architecture {text!r} is not of the form 'BUILDER key=value ...'") from error
