"""Bundles: models handed to another process through an open file, without a path, a table or a true id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import BinaryIO, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from wslbench.architectures import Architecture
from wslbench.errors import ZooDamagedError
from wslbench.zoo.models import FloatArray, Models, Source, Stack
from wslbench.zoo.shards import map_descriptor, stack_size, write_tensors

_LABEL = "the bundle of models"
_MAX_HEADER_BYTES: Final = 2**26  # ids and positions stand in it, some 30 bytes a model


class _StackRecord(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    architecture: Architecture
    positions: list[int]


class _Contents(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: list[str]
    stacks: list[_StackRecord]


def write_bundle(models: Models, file: BinaryIO, ids: Sequence[str]) -> None:
    """Write models into an open file under new ids.

    Nothing else about them is written: no zoo, no epoch, no position in a shard.

    Parameters
    ----------
    models
        What to hand over; their order is kept.
    file
        Open for binary writing, at its beginning. The caller flushes it.
    ids
        One opaque, unique string a model.
    """
    if len(ids) != len(models) or len(set(ids)) != len(ids):
        raise ValueError(f"{len(models)} models need as many different ids, not {len(set(ids))}")
    stacks = models.by_architecture()
    contents = _Contents(
        ids=list(ids),
        stacks=[
            _StackRecord(name=stack.name, architecture=stack.architecture, positions=stack.positions.tolist())
            for stack in stacks
        ],
    )
    shapes = {
        f"{number}/{name}": (len(stack), *stack.shape(name))
        for number, stack in enumerate(stacks)
        for name in stack.keys()  # noqa: SIM118 - a Stack is no mapping
    }
    write_tensors(file, shapes, partial(_blocks, stacks), {"contents": contents.model_dump_json()})


def _blocks(stacks: list[Stack], key: str) -> Iterator[FloatArray]:
    number, name = key.split("/", 1)
    return stacks[int(number)].blocks(name)


def read_bundle(fd: int) -> Models:
    """Map models from the open file descriptor of a bundle, which may be closed afterwards.

    Raises
    ------
    ZooDamagedError
        If the file is not a bundle or contradicts itself.
    """
    tensors, metadata = map_descriptor(fd, _LABEL, _MAX_HEADER_BYTES)
    try:
        contents = _Contents.model_validate_json(metadata["contents"])
    except (KeyError, ValidationError) as error:
        raise ZooDamagedError(f"{_LABEL} is damaged: its table of contents cannot be read") from error
    count = len(contents.ids)
    which = np.full(count, -1, np.intp)
    rows = np.zeros(count, np.intp)
    sources = []
    for number, record in enumerate(contents.stacks):
        prefix = f"{number}/"
        mine = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        positions = np.asarray(record.positions, np.intp)
        if stack_size(mine, _LABEL) != len(positions) or np.any((positions < 0) | (positions >= count)):
            raise ZooDamagedError(f"{_LABEL} is damaged: stack {number} does not fit its positions")
        which[positions] = number
        rows[positions] = np.arange(len(positions))
        sources.append(Source(record.name, record.architecture, partial(dict, mine)))
    if np.any(which < 0) or sum(len(record.positions) for record in contents.stacks) != count:
        raise ZooDamagedError(f"{_LABEL} is damaged: its stacks do not hold every model exactly once")
    ids = np.empty(count, object)
    ids[:] = contents.ids
    return Models(ids, sources, which, rows)
