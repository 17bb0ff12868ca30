"""A run's ``result.json`` as Ray Tune writes it: a JSON object a line, a line an epoch."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wslbench.errors import ZooFormatError

_MAX_BYTES = 64 * 2**20  # thousands of epochs with a copy of the hyper-parameters each
_MAX_LINES = 100_000
_MAX_LINE_BYTES = 2**20
_MAX_TORN_LINES = 100  # a run is not killed more often
_ITERATION = "training_iteration"
_SINCE_RESTORE = "iterations_since_restore"
_STEPS = "training::accumulate_gradients_steps"
PERFORMANCE = {
    "train_loss": "logged_train_loss",
    "train_acc": "logged_train_accuracy",
    "test_loss": "test_loss",
    "test_acc": "test_accuracy",
    "val_loss": "validation_loss",
    "val_acc": "validation_accuracy",
    "validation_loss": "validation_loss",
    "validation_acc": "validation_accuracy",
}
"""What a log's keys are called here."""

_LANDSCAPE = ("log_hessian", "hessian", "curve_", "representation_similarity", "cka", "CKA")


@dataclass
class RunLog:
    """What a log says.

    Attributes
    ----------
    restarted
        Whether training was restored from a checkpoint on the way: then epochs before it may have been logged twice,
        of which the later line counts. A line that is cut off and not the last one shows it as well.
    torn
        Whether the last line is cut off, as a killed run leaves it.
    diverged
        Whether the train loss of an epoch that trained is not finite.
    last
        The last epoch; -1: there is none.
    landscape
        The landscape metrics under the names of their columns, with ``published_epoch``; empty: none.
    """

    restarted: bool = False
    torn: bool = False
    diverged: bool = False
    last: int = -1
    landscape: dict[str, float] = field(default_factory=dict)
    _epochs: dict[int, dict[str, float]] = field(default_factory=dict)

    def performance(self, epoch: int) -> dict[str, float]:
        """Losses and accuracies (fractions) of an epoch; empty where it was not logged."""
        return self._epochs.get(epoch, {})


def read_log(path: Path) -> RunLog:
    """Read a log.

    The 0-based line i is epoch i unless it says otherwise. A line that a killed run left half-written, anywhere in the
    log, is passed over. Where gradients were accumulated over k steps, the trainer
    logged 1/k of the train loss in every epoch that trained; epoch 0 is measured before training, as it is.

    Raises
    ------
    ZooFormatError
        If a line is JSON but no object, or many are no JSON, an accuracy is no fraction, or metrics of the landscape
        stand on the lines of two epochs.
    """
    log = RunLog()
    steps = 1
    torn_lines = 0
    for number, line in enumerate(_lines(path)):
        if line.isspace():
            continue
        record = _parsed(line, path, number)
        if record is None:
            log.torn = True
            torn_lines += 1
            if torn_lines > _MAX_TORN_LINES:
                raise ZooFormatError(f"{path}: more than {_MAX_TORN_LINES} lines are no JSON, {number + 1} among them")
            continue
        log.restarted |= log.torn  # something was written behind the line that a killed run left
        log.torn = False
        epoch = record.get(_ITERATION, number)
        if type(epoch) is not int or epoch < 0:
            raise ZooFormatError(f"{path}, line {number + 1}: {_ITERATION} is {epoch!r}, no epoch")
        since = record.get(_SINCE_RESTORE)
        log.restarted |= type(since) is int and since < epoch
        log._epochs[epoch] = _performance(record, path, number)
        log.last = max(log.last, epoch)
        steps = _steps(record, steps, path, number)
        if found := _landscape(record):
            if log.landscape and log.landscape["published_epoch"] != epoch:
                raise ZooFormatError(
                    f"{path}, line {number + 1}: metrics of the landscape stand on the line of epoch "
                    f"{log.landscape['published_epoch']:g} as well, and are one epoch's"
                )
            log.landscape = {**found, "published_epoch": epoch}
    for epoch, performance in log._epochs.items():
        if epoch > 0 and "logged_train_loss" in performance:
            performance["logged_train_loss"] *= steps
            log.diverged |= not math.isfinite(performance["logged_train_loss"])
    return log


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a log, one in memory at a time."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > _MAX_BYTES:
                raise ZooFormatError(f"{path} has more than {_MAX_BYTES} bytes, which no log needs")
            for number in itertools.count():
                if not (line := file.readline(_MAX_LINE_BYTES + 1)):
                    return
                if len(line) > _MAX_LINE_BYTES or number == _MAX_LINES:
                    raise ZooFormatError(
                        f"{path} has a line of more than {_MAX_LINE_BYTES} bytes or more than {_MAX_LINES} lines, "
                        "which no log needs"
                    )
                yield line
    except OSError as error:
        raise ZooFormatError(f"{path} cannot be read: {error.strerror}") from error


def _parsed(line: bytes, path: Path, number: int) -> dict[str, Any] | None:
    """The object on a line; None where the line is cut off."""
    try:
        record = json.loads(line)  # NaN and Infinity, which Ray writes, are understood
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        raise ZooFormatError(f"{path}, line {number + 1} is no JSON object")
    return record


def _performance(record: dict[str, Any], path: Path, number: int) -> dict[str, float]:
    found = {}
    for key, column in PERFORMANCE.items():
        if not isinstance(value := record.get(key), int | float):
            continue
        if key.endswith("acc") and not (0 <= value <= 1 or math.isnan(value)):
            raise ZooFormatError(f"{path}, line {number + 1}: {key} is {value}, and accuracies are fractions here")
        found[column] = float(value)
    return found


def _steps(record: dict[str, Any], before: int, path: Path, number: int) -> int:
    config = record.get("config")
    steps = config.get(_STEPS) if isinstance(config, dict) else None
    if steps is None:
        return before
    if type(steps) is not int or steps < 1:
        raise ZooFormatError(f"{path}, line {number + 1}: {_STEPS} is {steps!r}, no number of steps")
    return steps


def _landscape(record: dict[str, Any]) -> dict[str, float]:
    """The landscape metrics on a line; where all are NaN, as on lines without any, none."""
    found = {
        f"published_{key}": float(value)
        for key, value in record.items()
        if key.startswith(_LANDSCAPE) and isinstance(value, int | float)
    }
    return found if any(math.isfinite(value) for value in found.values()) else {}
