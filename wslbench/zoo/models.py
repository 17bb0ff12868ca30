"""Models: an ordered selection of networks, lazily read, without any label."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, cast, overload

import numpy as np
import numpy.typing as npt

from wslbench.architectures import Architecture
from wslbench.errors import ZooFormatError
from wslbench.zoo.template import build, template

if TYPE_CHECKING:
    import torch
    from torch import nn

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.intp]
BLOCK_BYTES: Final = 16 * 2**20


class Source:
    """Stacked tensors of one architecture that stand in one place; opened when first asked for.

    Parameters
    ----------
    name
        Name of the architecture in its zoo.
    architecture
        The architecture itself.
    opener
        Returns the read-only tensors, ``[models, *shape]`` each, by name.
    """

    def __init__(self, name: str, architecture: Architecture, opener: Callable[[], Mapping[str, FloatArray]]) -> None:
        self.name = name
        self.architecture = architecture
        self._opener = opener

    @cached_property
    def tensors(self) -> Mapping[str, FloatArray]:
        """The tensors, mapped into memory on first access."""
        return self._opener()


class Model:
    """One network: its weights, and the architecture that they belong to."""

    def __init__(self, model_id: str, source: Source, row: int) -> None:
        self.id = model_id
        self.architecture = source.architecture
        self._source = source
        self._row = row

    def tensors(self) -> dict[str, FloatArray]:
        """The stored tensors by name, as read-only numpy views."""
        return {name: tensor[self._row] for name, tensor in self._source.tensors.items()}

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The network's ``state_dict``: copies of the stored tensors, and fresh counters (which zoos never store).

        Raises
        ------
        ZooFormatError
            If the stored tensors are not those of the architecture.
        """
        import torch

        stored = self._source.tensors
        expected = template(self.architecture)
        state: dict[str, torch.Tensor] = {}
        for name in expected.order:
            if name in expected.rebuilt:
                state[name] = expected.rebuilt[name].clone()
            elif name not in stored or stored[name].shape[1:] != expected.stored[name]:
                found = tuple(stored[name].shape[1:]) if name in stored else "nothing"
                raise ZooFormatError(
                    f"model {self.id}: tensor {name!r} of architecture {self._source.name!r} should have the shape "
                    f"{expected.stored[name]}, the zoo stores {found}"
                )
            else:
                state[name] = torch.from_numpy(stored[name][self._row].copy())
        return state

    def module(self) -> nn.Module:
        """The network itself, with its weights, in eval mode."""
        network = build(self.architecture)
        network.load_state_dict(self.state_dict())
        return network.eval()

    def __repr__(self) -> str:
        return f"Model({self.id!r}, architecture={self._source.name!r})"


class Stack:
    """Models of one architecture as stacked arrays.

    Attributes
    ----------
    name
        Name of the architecture in its zoo.
    architecture
        The architecture.
    positions
        ``[len(stack)]`` ascending integers: where in the :class:`Models` each row stands.
    """

    def __init__(self, sources: Sequence[Source], which: IntArray, rows: IntArray, positions: IntArray) -> None:
        self.name = sources[which[0]].name
        self.architecture = sources[which[0]].architecture
        self.positions = positions
        self._sources = sources
        self._which = which
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def keys(self) -> list[str]:
        """Names of the tensors, in the order of the architecture's ``state_dict``, as they were stored."""
        return list(self._sources[self._which[0]].tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of one model's tensor."""
        return tuple(self._sources[self._which[0]].tensors[name].shape[1:])

    def arrays(self) -> dict[str, FloatArray]:
        """All tensors by name, each as ``self[name]``."""
        return {name: self[name] for name in self.keys()}

    def __getitem__(self, name: str) -> FloatArray:
        """One tensor of all models, ``[len(stack), *shape]``, float32, read-only.

        Neighbouring rows of one shard, in order, come as a view of the file; anything else is gathered.

        Raises
        ------
        KeyError
            If the architecture has no such tensor.
        ZooFormatError
            If shards of one architecture disagree about the tensor.
        """
        return self._read(name, slice(None))

    def blocks(self, name: str, max_bytes: int = BLOCK_BYTES) -> Iterator[FloatArray]:
        """The models' tensor in blocks of consecutive models, so that no more than a block need be in memory.

        Parameters
        ----------
        name
            Of the tensor.
        max_bytes
            A block's size; one model's tensor is never cut.

        Returns
        -------
        Arrays ``[some models, *shape]``, which put together are ``self[name]``; raises as that does.
        """
        step = max(1, max_bytes // max(1, 4 * math.prod(self.shape(name))))
        return (self._read(name, slice(first, first + step)) for first in range(0, len(self), step))

    def _read(self, name: str, part: slice) -> FloatArray:
        which, rows = self._which[part], self._rows[part]
        used = np.unique(which)
        if len(used) == 1:
            tensor = self._sources[used[0]].tensors[name]
            first = int(rows[0])
            if np.array_equal(rows, np.arange(first, first + len(rows))):
                whole: FloatArray = tensor[first : first + len(rows)]
                return whole
            stacked: FloatArray = tensor[rows]
        else:
            stacked = np.empty((len(rows), *self.shape(name)), np.float32)
            for source in used:
                tensor = self._sources[source].tensors.get(name, _NOTHING)
                if tensor.shape[1:] != stacked.shape[1:]:
                    raise ZooFormatError(f"tensor {name!r} of architecture {self.name!r} differs between shards")
                here = which == source
                stacked[here] = tensor[rows[here]]
        stacked.flags.writeable = False
        return stacked

    def __repr__(self) -> str:
        return f"Stack({self.name!r}, {len(self)} models)"


class Models:
    """An ordered, immutable selection of networks.

    ``len``, iteration and integer indexing give :class:`Model`; slices, boolean masks and integer arrays
    give :class:`Models`. Nothing is read until a tensor is asked for. There is no table and no label here.

    Parameters
    ----------
    ids
        One opaque string a model.
    sources
        Where tensors stand.
    which
        ``[models]``: index into ``sources``.
    rows
        ``[models]``: row within that source.
    """

    def __init__(
        self, ids: npt.NDArray[np.object_], sources: Sequence[Source], which: IntArray, rows: IntArray
    ) -> None:
        self._ids = ids
        self._sources = tuple(sources)
        self._which = which
        self._rows = rows

    @property
    def ids(self) -> npt.NDArray[np.object_]:
        """``[models]`` opaque strings."""
        return self._ids.copy()

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Model]:
        return (self[position] for position in range(len(self)))

    @overload
    def __getitem__(self, key: int | np.integer[Any]) -> Model: ...

    @overload
    def __getitem__(self, key: slice | Sequence[int] | Sequence[bool] | npt.NDArray[Any]) -> Models: ...

    def __getitem__(self, key: Any) -> Model | Models:
        if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            position = range(len(self))[int(key)]
            return Model(self._ids[position], self._sources[self._which[position]], int(self._rows[position]))
        chosen = self._positions(key)
        return Models(self._ids[chosen], self._sources, self._which[chosen], self._rows[chosen])

    def mapped(self, change: Callable[[Stack], Mapping[str, npt.NDArray[Any]]]) -> Models:
        """The same networks with other numbers, stack by stack.

        Parameters
        ----------
        change
            From a stack to its new tensors ``[models, *shape]``, all of them, by name.

        Returns
        -------
        Models
            As many, in the same order, under the same ids, held in memory.
        """
        sources = []
        which, rows = np.zeros(len(self), np.intp), np.zeros(len(self), np.intp)
        for number, stack in enumerate(self.by_architecture()):
            tensors = dict(change(stack))
            for tensor in tensors.values():
                tensor.flags.writeable = False
            sources.append(Source(stack.name, stack.architecture, partial(dict, tensors)))
            which[stack.positions], rows[stack.positions] = number, np.arange(len(stack))
        return Models(self._ids, sources, which, rows)

    def _positions(self, key: Any) -> IntArray:
        everything = np.arange(len(self), dtype=np.intp)
        if isinstance(key, slice):
            return everything[key]
        chosen = np.asarray(key)
        if chosen.ndim == 1 and chosen.size == 0:
            return everything[:0]
        if chosen.ndim != 1 or chosen.dtype.kind not in "biu":
            raise TypeError(
                "Models are indexed by an integer, a slice, a boolean mask or an array of integers, "
                f"not by {type(key).__name__} of {chosen.dtype}"
            )
        return cast("IntArray", everything[chosen])

    def by_architecture(self) -> list[Stack]:
        """The same models as homogeneous stacks, one an architecture, in order of first appearance."""
        names = np.array([source.name for source in self._sources], dtype=object)[self._which]
        return [
            Stack(self._sources, self._which[positions], self._rows[positions], positions)
            for name in dict.fromkeys(names)
            for positions in [np.flatnonzero(names == name)]
        ]

    def __repr__(self) -> str:
        return f"Models({len(self)} models)"


_NOTHING = np.empty((0, 0), np.float32)
