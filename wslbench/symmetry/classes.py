"""Classes: which hidden units play the same part in a network, so that they may be exchanged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from wslbench.symmetry.flow import Flow, Value, stored_once
from wslbench.symmetry.group import Orbit
from wslbench.symmetry.ties import Ids


def orbits(flow: Flow) -> list[Orbit]:
    """Orbits of a followed network, with units under the numbers that they have in the flow.

    Units are exchangeable if they occur equally often in every activation and along every axis of every tensor, and
    stand in the same head. Heads are exchangeable if they are so themselves, and if what they hold is alike.
    """
    roots = flow.roots()
    parts = _parts(flow, roots)
    heads = _heads(flow, roots)
    held = defaultdict(list)
    for unit, head in heads.items():
        held[head].append(unit)
    kinds: dict[Hashable, list[int]] = defaultdict(list)  # alike heads, or units that stand in none
    for unit, part in parts.items():
        if unit not in heads:
            kinds[part, _inventory(held.get(unit, ()), parts)].append(unit)
    for head in set(held) - set(parts):  # a head that may not move; its units still move within it
        kinds[head] = [head]
    found: list[Orbit] = []
    names = _Names(flow, roots)
    for whole in sorted(kinds.values(), key=min):
        members = [_by_part(held[unit], parts) for unit in whole if unit in held]
        movable = whole[0] in parts
        layers = [np.array([member[part] for member in members]) for part in (members[0] if members else ())]
        name = names.of(whole, layers)
        if movable:
            found.append(Orbit(name, np.array([whole]), None))
        blocks = len(found) - 1 if movable else None
        found.extend(Orbit(names.of(units.ravel().tolist(), []), units, blocks) for units in layers)
    return found


def _parts(flow: Flow, roots: Ids) -> dict[int, bytes]:
    """How often each unit occurs where: equal bytes, equal parts."""
    places = [
        stored_once(value.units) for value in _values(flow.values[node] for node in flow.values if node in flow.live)
    ]
    places += [axis.units for axis in flow.axes.values()]
    counted = []
    for number, place in enumerate(places):
        units, counts = np.unique(roots[place], return_counts=True)
        counted.append(np.stack([units, np.full_like(units, number), counts]))
    table = np.concatenate([np.zeros((3, 0), np.int64), *counted], axis=1)
    table = table[:, np.lexsort(table[1::-1])]
    units, starts = np.unique(table[0], return_index=True)
    pieces = np.split(table[1:], starts[1:], axis=1)
    return {int(unit): piece.tobytes() for unit, piece in zip(units, pieces, strict=True) if unit}


def _values(found: Iterable[object]) -> Iterable[Value]:
    for value in found:
        if isinstance(value, Value):
            yield value
        elif isinstance(value, list):
            yield from value


def _heads(flow: Flow, roots: Ids) -> dict[int, int]:
    """The head that each unit stands in. Units that stand in several were frozen before."""
    heads = {}
    for units, holders in flow.contained:
        for unit, head in zip(roots[units].ravel().tolist(), holders.ravel().tolist(), strict=True):
            if unit:
                heads[unit] = int(roots[head]) or head
    return heads


def _inventory(units: Sequence[int], parts: dict[int, bytes]) -> tuple[bytes, ...]:
    return tuple(sorted(parts[unit] for unit in units))


def _by_part(units: Sequence[int], parts: dict[int, bytes]) -> dict[bytes, list[int]]:
    """Units of one head by the part that they play, in order of first appearance."""
    found: dict[bytes, list[int]] = {}
    for unit in sorted(units):
        found.setdefault(parts[unit], []).append(unit)
    return dict(sorted(found.items()))


class _Names:
    """Names of orbits, by the first tensor along whose axis their units stand; no name is given twice."""

    def __init__(self, flow: Flow, roots: Ids) -> None:
        self._first: dict[int, str] = {}
        for (tensor, _), axis in flow.axes.items():
            for unit in np.unique(roots[axis.units]).tolist():
                self._first.setdefault(unit, tensor.rpartition(".")[0] or tensor)
        self._given: dict[str, int] = defaultdict(int)

    def of(self, units: Sequence[int], layers: Sequence[Ids]) -> str:
        """Name of an orbit, or of the heads that hold these layers."""
        name = self._first.get(units[0]) or f"{self._first.get(int(layers[0].flat[0]), '') if layers else ''} heads"
        self._given[name] += 1
        return name if self._given[name] == 1 else f"{name} ({self._given[name]})"
