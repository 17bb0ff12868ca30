"""The records of a zoo: its card (zoo.yaml) and its manifest (manifest.json)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from wslbench.architectures import Architecture

FORMAT_VERSION: Final = 1
SYNTHETIC: Final = "synthetic"  # the entry of a recipe that marks a zoo whose networks were never trained

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+=-]{0,127}")
_SHARD_PATH = re.compile(rf"weights/{_NAME.pattern}/[0-9]+-[0-9]+\.safetensors")


def is_name(text: str) -> bool:
    """Whether a text can be the name of a zoo, a cell, an architecture or a protocol, and so of a file."""
    return _NAME.fullmatch(text) is not None


def shard_number(path: str) -> int:
    """The number of a shard among those of its architecture and epoch, from its path."""
    return int(path.rsplit("-", 1)[1].removesuffix(".safetensors"))


def _name(text: str) -> str:
    if not is_name(text):
        raise ValueError(f"{text!r} is not a name: letters, digits and . _ + = - only, at most 128 of them")
    return text


def _shard_path(text: str) -> str:
    if not _SHARD_PATH.fullmatch(text):
        raise ValueError(f"{text!r} is not the path of a shard (weights/<architecture>/<epoch>-<shard>.safetensors)")
    return text


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})]
ShardPath = Annotated[str, AfterValidator(_shard_path)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Axis(_Record):
    """One axis of the grid of cells.

    Attributes
    ----------
    column
        The hyper-parameter's column in ``models.parquet``.
    label
        What plots and tables call it.
    values
        The grid's values, ascending.
    """

    column: str
    label: str
    values: list[int | float]


class DataSetCard(_Record):
    """The data that the zoo's networks were trained on; sizes in samples, None where they are not known."""

    name: str
    train_size: Annotated[int, Field(ge=1)] | None = None
    test_size: Annotated[int, Field(ge=1)] | None = None
    classes: Annotated[int, Field(ge=2)] | None = None
    description: str = ""

    @property
    def sizes(self) -> str:
        """How large it is, for people: ``1,200 train, 597 test samples``."""
        sizes = [(self.train_size, "train"), (self.test_size, "test")]
        known = [f"{size:,} {side}" for size, side in sizes if size is not None]
        return f"{', '.join(known)} samples" if known else "of unknown size"


class ZooCard(_Record):
    """``zoo.yaml``: what a zoo is, where it comes from, and how its phases were told apart.

    Attributes
    ----------
    format_version
        Version of the zoo format, :data:`FORMAT_VERSION`.
    content_version
        Version of the weights, as the zoo's makers count.
    annotation_version
        Counts re-annotations; the weights stay as they are.
    architectures
        The networks, by the name that ``models.parquet`` uses.
    load, temperature
        The axes of the grid.
    measured_epoch
        The epoch of the checkpoints that order parameters belong to.
    recipe
        Everything needed to grow the zoo again.
    phase_rule
        The rule that named the phases: its text, cut-offs, and their separability. None: no phases.
    annotation
        How order parameters were measured: definition, options, the samples of Hessians, software. None: the zoo was
        measured as it was grown, or not at all.
    software
        Versions of what trained and measured the zoo.
    """

    name: Name
    format_version: Literal[1] = FORMAT_VERSION
    content_version: str
    annotation_version: Annotated[int, Field(ge=1)] = 1
    licence: str
    citation: str
    description: str
    modality: str
    data_set: DataSetCard
    architectures: Annotated[dict[Name, Architecture], Field(min_length=1)]
    load: Axis
    temperature: Axis
    measured_epoch: Annotated[int, Field(ge=0)]
    recipe: dict[str, Any]
    phase_rule: dict[str, Any] | None = None
    annotation: dict[str, Any] | None = None
    software: dict[str, str]

    @property
    def namespace(self) -> str:
        """What ids of checkpoints are drawn from: the zoo's name, and the commitment to its seeds if they are secret.

        A zoo that is grown again from secret seeds keeps its name, as tasks are about it, but none of its ids.
        """
        commitment = self.recipe.get("seed_commitment")
        return self.name if commitment is None else f"{self.name}/{commitment}"

    @property
    def synthetic(self) -> bool:
        """Whether weights and annotations were made up, for tests of scale; the leaderboard takes no result on it."""
        return SYNTHETIC in self.recipe

    def content(self) -> dict[str, Any]:
        """What the hash of annotations covers; a field that came later counts where it is set."""
        return self.model_dump(mode="json", exclude={"annotation"} if self.annotation is None else None)


class ShardEntry(_Record):
    """One shard: hash of its content, the architecture and epoch it holds, rows, and bytes of the file."""

    hash: Digest
    architecture: Name
    epoch: Annotated[int, Field(ge=0)]
    models: Annotated[int, Field(ge=1)]
    bytes: Annotated[int, Field(ge=8)]


class WeightsEntry(_Record):
    """All weights: one hash over the shards, and the shards by path."""

    hash: Digest
    shards: Annotated[dict[ShardPath, ShardEntry], Field(min_length=1)]


class AnnotationsEntry(_Record):
    """All annotations: one hash over the three that follow, so that damage can be named."""

    hash: Digest
    card: Digest
    models: Digest
    pairs: Digest


class Manifest(_Record):
    """``manifest.json``: hashes of arrays and rows (not of container bytes), and the files that hold them."""

    format_version: Literal[1] = FORMAT_VERSION
    weights: WeightsEntry
    annotations: AnnotationsEntry
    splits: dict[Name, Digest]
