"""The layout ``ptmz``: the phase-transition zoos' Ray Tune trees (Schürholt et al. 2025, arXiv 2504.18072).

A folder a run, with its hyper-parameters (``params.json``, in some releases ``config.json``), its log
(``result.json``, see :mod:`wslbench.interop.tune_logs`), and ``checkpoint_NNNNNN/checkpoints``, which ``torch.save``
wrote. What becomes of it here:

* Hyper-parameters come from ``params.json`` alone: the trainer altered its own copy, which stands in the log.
* The logged train loss and accuracy are running means over augmented batches in train mode, and so are called
  ``logged_train_loss`` and ``logged_train_accuracy``. ``test_loss`` and ``test_accuracy`` are what they are elsewhere.
* Landscape metrics are means over a cell, copied to all of its seeds, by definitions of their own. They are kept as
  ``published_…`` on the row of the measured checkpoint, beside ``published_epoch``, the epoch that they are of. No
  phase follows from them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from wslbench.architectures import Architecture
from wslbench.errors import ZooFormatError
from wslbench.foreign_text import read_bytes
from wslbench.interop.left_out import LeftOut
from wslbench.interop.listing import ImportOptions, Listing, free_name
from wslbench.interop.tune_logs import PERFORMANCE, RunLog, read_log

_LOG = "result.json"
_CHECKPOINT = re.compile(r"checkpoint_0*([0-9]{1,9})")
_MAX_BYTES = 2**20
_NAMES = {
    "training::batchsize": "batch_size",
    "training::epochs_train": "epochs_planned",
    "optim::lr": "learning_rate",
    "optim::wd": "weight_decay",
    "model::nlin": "activation",
}
_SHORT_GROUPS = ("model::", "optim::", "training::")  # their keys are clear without
# What says where and how a run was computed, not what it is.
_NO_HYPERPARAMETERS = re.compile(
    r"cuda|device|resources.*|.*(path|dump|ref|dir|workers|steps_per_epoch|accumulate_gradients_steps|idx_out"
    r"|output_epoch|start_epoch|val_epochs|loader)"
)
_NETWORKS = {
    model_type: Architecture(
        builder=builder, arguments={"width": "@width", "in_channels": "@channels_in", "classes": "@o_dim"}
    )
    for model_type, builder in {"Resnet18_width": "resnet18", "Resnet50_width": "resnet50"}.items()
}


def list_phase_zoo(source: Path, options: ImportOptions) -> Listing:
    """A row a checkpoint of every run.

    Raises
    ------
    ZooFormatError
        If there is no run, or a file of one is malformed.
    """
    runs, empty = read_runs(source)
    epoch = measured_epoch_of(runs)
    table = pd.DataFrame([row for run in runs for row in run.rows(epoch)])
    types = {str(run.hyperparameters.get("type")) for run in runs}
    return Listing(
        table,
        architecture=_NETWORKS.get(types.pop()) if len(types) == 1 else None,
        load="width",
        temperature="batch_size" if table["batch_size"].nunique() > 1 else "learning_rate",
        varied=varied_columns(table, [run.hyperparameters for run in runs]),
        measured_epoch=epoch,
        left_out=empty,
        logged=tuple(PERFORMANCE.values()),
    )


def read_runs(source: Path) -> tuple[list[TuneRun], tuple[LeftOut, ...]]:
    """The runs of a tree, and those that were left out as they have no checkpoint: they failed before the first.

    Raises
    ------
    ZooFormatError
        If there is no run with a checkpoint, or a file of one is malformed.
    """
    found = [TuneRun(folder, source) for folder in run_folders(source)]
    runs = [run for run in found if run.checkpoints]
    if not runs:
        raise ZooFormatError(f"{source} holds no run with a checkpoint_NNNNNN/checkpoints")
    return runs, tuple(LeftOut(run.folder.name, "without a checkpoint") for run in found if not run.checkpoints)


def run_folders(source: Path) -> list[Path]:
    """The folders of a tree's runs, in order of their names.

    Raises
    ------
    ZooFormatError
        If there is none, or one is a link to elsewhere.
    """
    if not source.is_dir():
        raise ZooFormatError(f"{source} is no folder")
    folders = sorted(folder for folder in source.iterdir() if (folder / _LOG).is_file())
    if not folders:
        raise ZooFormatError(f"{source} holds no runs: folders with a {_LOG}")
    for folder in folders:
        if folder.is_symlink() or (folder / _LOG).is_symlink():
            raise ZooFormatError(f"{folder}, or its {_LOG}, is a link: a run's files have to stand in {source} itself")
    return folders


def hyperparameters_of(folder: Path) -> dict[str, Any]:
    """What a run was started with, by our names for it; text, numbers and truth values alone.

    Raises
    ------
    ZooFormatError
        If the file is not there, or is no JSON object.
    """
    names = ("params.json", "config.json")
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise ZooFormatError(f"{folder} has neither params.json nor config.json, which hold a run's hyper-parameters")
    if path.is_symlink():
        raise ZooFormatError(f"{path} is a link: hyper-parameters have to stand in their run's folder")
    try:
        content = json.loads(read_bytes(path, _MAX_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ZooFormatError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise ZooFormatError(f"{path} is no JSON object")
    return {
        key if key == "seed" else column_of(key): value
        for key, value in content.items()
        if isinstance(value, int | float | str) and not _NO_HYPERPARAMETERS.fullmatch(key)
    }


def checkpoints_of(folder: Path) -> dict[int, Path]:
    """The checkpoints of a run, by epoch.

    Raises
    ------
    ZooFormatError
        If two folders are of one epoch, or one is a link to elsewhere.
    """
    found: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
        match = _CHECKPOINT.fullmatch(path.name)
        file = path / "checkpoints"
        if match is None or not file.is_file():
            continue
        if path.is_symlink() or file.is_symlink():
            raise ZooFormatError(f"{file} is a link: checkpoints have to stand in their run's folder")
        if int(match[1]) in found:
            raise ZooFormatError(f"{path} is of the same epoch as {found[int(match[1])].parent}")
        found[int(match[1])] = file
    return found


def varied_columns(table: pd.DataFrame, hyperparameters: list[dict[str, Any]]) -> tuple[str, ...]:
    """The hyper-parameters in which runs differ, but for the seed."""
    names = dict.fromkeys(name for run in hyperparameters for name in run if name != "seed")
    return tuple(name for name in names if table[name].nunique(dropna=False) > 1)


def column_of(key: str) -> str:
    """What a hyper-parameter's key is called here."""
    if key in _NAMES:
        return _NAMES[key]
    for group in _SHORT_GROUPS:
        key = key.removeprefix(group)
    return free_name(key.replace("::", "_"))


class TuneRun:
    """One run's folder: hyper-parameters, log and checkpoints.

    Parameters
    ----------
    folder
        The run's.
    source
        The tree's, which the names of files are relative to.

    Raises
    ------
    ZooFormatError
        If a file is malformed or missing.
    """

    def __init__(self, folder: Path, source: Path) -> None:
        self.folder = folder
        self.hyperparameters = hyperparameters_of(folder)
        if not isinstance(self.hyperparameters.get("seed"), int):
            raise ZooFormatError(f"{folder}: the hyper-parameters name no seed")
        self.log: RunLog = read_log(folder / _LOG)
        self.checkpoints = {
            epoch: path.relative_to(source).as_posix() for epoch, path in checkpoints_of(folder).items()
        }

    def rows(self, measured_epoch: int) -> list[dict[str, Any]]:
        """A row a checkpoint; metrics of the landscape stand on that of the measured epoch."""
        planned = self.hyperparameters.get("epochs_planned")
        short = self.log.torn or (isinstance(planned, int) and self.log.last < planned)
        diverged = self.log.diverged
        flags = {"short": short, "restarted": self.log.restarted, "diverged": diverged, "unfinished": short or diverged}
        return [
            {
                **self.hyperparameters,
                "file": file,
                "epoch": epoch,
                **self.log.performance(epoch),
                **(self.log.landscape if epoch == measured_epoch else {}),
                **flags,
            }
            for epoch, file in self.checkpoints.items()
        ]


def measured_epoch_of(runs: list[TuneRun]) -> int:
    """The epoch of the landscape metrics, if there are checkpoints of it; else the last that most runs have."""
    counts = pd.Series([epoch for run in runs for epoch in run.checkpoints]).value_counts()
    published = [run.log.landscape["published_epoch"] for run in runs if run.log.landscape]
    if published and (epoch := int(pd.Series(published).mode()[0])) in counts.index:
        return epoch
    return int(counts.index[counts == counts.max()].max())
