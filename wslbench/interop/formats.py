"""The registry of import formats, and what a format tells of a foreign zoo before any weight is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wslbench.interop.listing import ImportOptions, Listing, Rows
from wslbench.interop.model_zoo_trees import list_model_zoo, read_model_zoo
from wslbench.interop.small_cnn_zoo import list_small_cnns, read_small_cnns
from wslbench.interop.state_dicts import list_state_dicts
from wslbench.interop.tensors import read_checkpoint, read_tensors
from wslbench.interop.tune_trees import list_phase_zoo
from wslbench.zoo.models import FloatArray


@dataclass(frozen=True)
class ImportFormat:
    """How a layout is read.

    Attributes
    ----------
    listing
        From source and options: what is in the source, without reading a weight.
    read
        From source, rows of the listing's table, and whether numbers may be rounded to float32: the tensors of each
        row, one after the other, by name.
    about
        One line for people.
    """

    listing: Callable[[Path, ImportOptions], Listing]
    read: Callable[[Path, Rows, bool], Iterator[Mapping[str, FloatArray]]]
    about: str


def file_by_file(
    read: Callable[[Path, bool], Mapping[str, FloatArray]],
) -> Callable[[Path, Rows, bool], Iterator[Mapping[str, FloatArray]]]:
    """The reader of a layout in which each checkpoint is a file of its own, named in the column ``file``."""
    return lambda source, rows, rounded: (read(source / file, rounded) for file in rows["file"])


FORMATS: dict[str, ImportFormat] = {
    "state-dicts": ImportFormat(
        list_state_dicts, file_by_file(read_tensors), "a folder of .safetensors, .pt or .npz files, and a CSV file"
    ),
    "ptmz": ImportFormat(
        list_phase_zoo, file_by_file(read_checkpoint), "the phase-transition zoos: a Ray Tune tree, a folder a run"
    ),
    "modelzoo": ImportFormat(
        list_model_zoo, read_model_zoo, "the Model Zoo Dataset: a Ray Tune tree, or its preprocessed .pt files"
    ),
    "smallcnn": ImportFormat(
        list_small_cnns, read_small_cnns, "the Small CNN Zoo: weights.npy, metrics.csv.gz and layout.csv"
    ),
}
