"""The child: runs one method on one unit, told what to do message by message.

It holds train labels, never test labels; test weights arrive after ``fit``, a chunk at a time. See
:mod:`wslbench.evaluation.tier` for what keeps it honest. Messages, each answered by one:

=========  ===========================================================  =================================
load       path, class, architectures, seed, hashes of hidden zoos      loaded: what the class declares
fit        task, classes, budget; target, groups; the train bundle      fitted: seconds, parameters
predict    a chunk's bundle (and hyper-parameters, for the oracle)      predicted: seconds; the predictions
generate   how many networks                                            generated: seconds; stacked tensors
=========  ===========================================================  =================================

or by ``failed`` with a kind and a message. An end of file ends the child.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from wslbench.errors import WslbenchError
from wslbench.evaluation.failures import FailureKind
from wslbench.evaluation.loader import CandidateError, LoadedMethod, explain, load_method
from wslbench.evaluation.protocol import Channel, ChannelClosedError, Message, close_files
from wslbench.evaluation.sealing import move_in, seal_files, seed_everything
from wslbench.typing import Context, TaskInfo

if TYPE_CHECKING:
    import pandas as pd

    from wslbench.zoo.models import Models


_COUNTERS: Final = "num_batches_tracked"


class _StageFailedError(Exception):
    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def serve(sock: socket.socket, private: Path) -> None:
    """Answer messages until the parent closes the conversation.

    Parameters
    ----------
    sock
        The child's end of the conversation.
    private
        An empty folder of this unit's own.
    """
    move_in(private)
    unit = _Unit(Channel(sock), seal_files(private))
    with contextlib.suppress(ChannelClosedError):
        while True:
            unit.answer()


class _Unit:
    """The method's life in one unit."""

    def __init__(self, channel: Channel, allow_data: Callable[[], None]) -> None:
        self._channel = channel
        self._allow_data = allow_data
        self._path = Path()
        self._loaded: LoadedMethod | None = None
        self._method: Any = None
        self._classes: tuple[str, ...] = ()
        self._context: Context | None = None

    def answer(self) -> None:
        message = self._channel.receive(with_files=True)
        stages = {"load": self._load, "fit": self._fit, "predict": self._predict, "generate": self._generate}
        try:
            kind, payload, arrays = stages[message.kind](message)
        except _StageFailedError as failure:
            kind, payload, arrays = "failed", {"kind": failure.kind, "message": failure.message}, {}
        finally:
            close_files(message.files)
        self._channel.send(kind, payload, arrays)

    def _load(self, message: Message) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
        from wslbench.zoo.seal import seal

        seal(message.payload["hidden"])
        seed_everything(message.payload["seed"])
        self._path = Path(message.payload["path"])
        try:
            self._loaded = load_method(self._path, message.payload["class"])
        except CandidateError as error:
            raise _StageFailedError("load_error", str(error)) from error
        except BaseException as error:
            raise _StageFailedError("load_error", f"it cannot be imported: {explain(error, self._path)}") from error
        if message.payload["may_see_data"] and self._loaded.privilege == "data":
            self._allow_data()
        try:
            self._method = self._loaded.cls()
        except BaseException as error:
            raise _StageFailedError(
                "load_error", f"{self._loaded.cls.__name__}() fails without arguments: {explain(error, self._path)}"
            ) from error
        declared = {
            "class": self._loaded.cls.__name__,
            "description": self._loaded.description,
            "verbs": list(self._loaded.verbs),
            "privilege": self._loaded.privilege,
            "unsupported": self._unsupported(message.payload["architectures"]),
        }
        return "loaded", declared, {}

    def _unsupported(self, architectures: dict[str, Any]) -> dict[str, str]:
        from wslbench.architectures import Architecture

        supports = getattr(self._method, "supports", None)
        reasons: dict[str, str] = {}
        if supports is None:
            return reasons
        for name, description in architectures.items():
            with self._stage("fit_error"):
                reason = supports(Architecture.model_validate(description))
            if reason is not None:
                reasons[name] = str(reason)[:300]
        return reasons

    def _fit(self, message: Message) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
        payload = message.payload
        models = _models(message)
        self._classes = tuple(payload["classes"])
        target = message.arrays["target"]
        if self._classes:
            target = np.array(self._classes)[target]
        context = Context(
            task=TaskInfo(**payload["task"]),
            classes=self._classes,
            groups=message.arrays["groups"],
            seed=payload["seed"],
            device=payload["device"],
            deadline=payload["deadline"],
            hyperparameters=_hyperparameters(message),
            target_phase=payload["target_phase"],
        )
        self._context = context
        seed_everything(payload["seed"])
        start = time.perf_counter()
        with self._stage("fit_error"):
            self._method.fit(models, target, context)
        seconds = time.perf_counter() - start
        parameters = getattr(self._method, "parameters", None)
        counted = int(parameters) if isinstance(parameters, (int, np.integer)) else None
        return "fitted", {"seconds": seconds, "parameters": counted}, {}

    def _predict(self, message: Message) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
        models = _models(message)
        hyperparameters = _hyperparameters(message)
        start = time.perf_counter()
        with self._stage("predict_error"):
            returned = (
                self._method.predict(models)
                if hyperparameters is None
                else self._method.predict(models, hyperparameters)
            )
        seconds = time.perf_counter() - start
        with self._stage("wrong_shape"):
            prediction = np.asarray(returned, dtype=np.float64)
        return "predicted", {"seconds": seconds}, {"prediction": prediction}

    def _generate(self, message: Message) -> tuple[str, dict[str, Any], dict[str, np.ndarray]]:
        count = int(message.payload["count"])
        start = time.perf_counter()
        with self._stage("generate_error"):
            returned = self._method.generate(count, self._context)
        with self._stage("wrong_draw"):
            drawn = stacked(returned, count)
        return "generated", {"seconds": time.perf_counter() - start}, drawn

    @contextlib.contextmanager
    def _stage(self, kind: FailureKind) -> Any:
        try:
            yield
        except MemoryError as error:
            raise _StageFailedError("out_of_memory", explain(error, self._path)) from error
        except WslbenchError as error:
            raise _StageFailedError(kind, f"refused: {explain(error, self._path)}") from error
        except BaseException as error:  # SystemExit and KeyboardInterrupt of the method's own making too
            raise _StageFailedError(kind, explain(error, self._path)) from error


def stacked(drawn: Any, count: int) -> dict[str, np.ndarray]:
    """What ``generate`` returned as float32 arrays ``[networks, *shape]``; counters of steps are left out.

    At most one network more than ``count`` is looked at, so that an endless sequence comes to an end.

    Raises
    ------
    TypeError, ValueError
        If it is neither a dict of stacked tensors nor a sequence of state dicts of the same names and shapes.
    """
    if isinstance(drawn, Mapping):
        return {str(name): _array(value) for name, value in drawn.items() if not str(name).endswith(_COUNTERS)}
    networks = [dict(network) for network in itertools.islice(iter(drawn), count + 1)]
    if not networks:
        raise ValueError("it returned no networks")
    names = [str(name) for name in networks[0]]
    if any(set(map(str, network)) != set(names) for network in networks):
        raise ValueError("its networks do not all have the same names of tensors")
    return {
        name: np.stack([_array(network[name]) for network in networks])
        for name in names
        if not name.endswith(_COUNTERS)
    }


def _array(value: Any) -> np.ndarray:
    values = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"a tensor of {values.dtype} holds no weights")
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _models(message: Message) -> Models:
    from wslbench.zoo.bundle import read_bundle

    return read_bundle(message.files[0])


def _hyperparameters(message: Message) -> pd.DataFrame | None:
    if "load" not in message.arrays:
        return None
    import pandas as pd

    return pd.DataFrame({name: message.arrays[name] for name in ("load", "temperature")})
