"""What a method declares about itself, and the look inside that asks it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from wslbench.errors import MethodError

if TYPE_CHECKING:
    from wslbench.evaluation.launcher import Launcher
    from wslbench.evaluation.limits import Limits
    from wslbench.evaluation.method_file import MethodFile


LONGEST_DESCRIPTION: Final = 500  # characters


class Declared(NamedTuple):
    """What a method's class says about itself.

    ``description`` is the first line of its docstring, ``verbs`` what it can do, of ``predict`` and ``generate``,
    ``privilege`` one of ``none``, ``train_hyperparameters``, ``hyperparameters``, ``data``.
    """

    class_name: str
    description: str
    verbs: tuple[str, ...]
    privilege: str


def inspect_method(method: MethodFile, launcher: Launcher, limits: Limits, stop: threading.Event) -> Declared:
    """Load a method in a child, without any data, and ask what it declares.

    Raises
    ------
    MethodError
        If the file cannot be imported, or holds no usable class.
    StoppedError
        If ``stop`` is set meanwhile.
    """
    from wslbench.evaluation.conversation import Conversation, StageFailedError

    with Conversation(launcher, limits, stop) as conversation:
        try:
            declared, _ = conversation.load(method, {}, seed=0, hidden=())
        except (MethodError, StageFailedError) as error:
            raise MethodError(f"{method.path} cannot be evaluated: {error}.") from error
    return declared._replace(description=_short(declared.description))


def _short(description: str) -> str:
    """A line for tables; a docstring may be one line of a megabyte."""
    return description if len(description) <= LONGEST_DESCRIPTION else f"{description[: LONGEST_DESCRIPTION - 1]}…"
