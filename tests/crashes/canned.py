"""The costly parts of growing and annotating, computed once and then answered from memory.

A process that is forked afterwards has the answers, so that a hundred killed calls take seconds, and all that they do
themselves is to keep what they are given.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any


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
