"""The costly parts of growing and annotating, computed once and then answered from memory.

A process that is forked afterwards has the answers, so that a hundred killed calls take seconds, and all that they do
themselves is to keep what they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import pandas as pd


class Canned:
    """A function that computes every answer once.

    Parameters
    ----------
    name
        From the arguments to what tells one question from another.
    """

    def __init__(self, function: Callable[..., Any], name: Callable[..., Hashable]) -> None:
        self._function, self._name = function, name
        self._known: dict[Hashable, Any] = {}

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        name = self._name(*arguments)
        if name not in self._known:
            self._known[name] = self._function(*arguments, **named)
        return self._known[name]


class CannedCells:
    """A measurement of cells that is done once, of all together, and then answered for any of them.

    Parameters
    ----------
    cells, epoch
        Which of the arguments the cells are, and the epoch, where there is one.
    """

    def __init__(self, function: Callable[..., Any], cells: int, epoch: int | None = None) -> None:
        self._function, self._cells, self._epoch = function, cells, epoch
        self._known: dict[int, tuple[list[str], Any]] = {}

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        cells = arguments[self._cells]
        epoch = 0 if self._epoch is None else arguments[self._epoch]
        if epoch not in self._known:
            rows = [cell.cell_id for cell in cells for _ in cell.seeds]
            self._known[epoch] = rows, self._function(*arguments, **named)
        rows, answer = self._known[epoch]
        asked = {cell.cell_id for cell in cells}
        if isinstance(answer, pd.DataFrame):
            return answer[answer["cell_id"].isin(asked)].reset_index(drop=True)
        return {name: values[np.isin(rows, list(asked))] for name, values in answer.items()}
