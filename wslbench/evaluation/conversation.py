"""The parent's side of the conversation with a child: what is said, and what each kind of silence means."""

from __future__ import annotations

import fcntl
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self, cast, get_args

import numpy as np

from wslbench.errors import MethodError
from wslbench.evaluation.failures import FailureKind
from wslbench.evaluation.launcher import Ending, Launcher
from wslbench.evaluation.limits import LimitExceededError, Limits, Watch
from wslbench.evaluation.method_file import MethodFile
from wslbench.evaluation.method_info import Declared
from wslbench.evaluation.protocol import ChannelClosedError, Message, ProtocolError

if TYPE_CHECKING:
    from wslbench.architectures import Architecture
    from wslbench.zoo.models import Models

_REPLY_BYTES: Final = 2**28  # more than any answer; what is over it is not read into memory

_TEXT: Final = 2000  # of an answer; a method may send more
_BUNDLE: Final = "wslbench-bundle-"


class StageFailedError(Exception):
    """The method failed; ``kind`` and ``message`` say how."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Conversation:
    """A child from its start to its end. Use as a context manager: leaving it ends the child and all its kin.

    Parameters
    ----------
    launcher
        Starts the child.
    limits, stop
        Looked at while waiting.
    """

    def __init__(self, launcher: Launcher, limits: Limits, stop: threading.Event) -> None:
        self.watch = Watch(limits, stop)
        self.ending: Ending | None = None
        self._sandboxed = launcher.sandbox is not None
        self._contained = launcher.start(self.watch, _REPLY_BYTES)
        self.watch.over(self._contained.warden, self._contained.scratch)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> Ending:
        """End the child; how it ended."""
        if self.ending is None:
            self.ending = self._contained.end()
        return self.ending

    def load(
        self,
        method: MethodFile,
        architectures: Mapping[str, Architecture],
        seed: int,
        hidden: Sequence[str],
        may_see_data: bool = False,
    ) -> tuple[Declared, dict[str, str]]:
        """Have the method loaded; what it declares, and why it does not support which architectures.

        ``hidden`` are hashes of the weights of zoos that the child's ``load_zoo`` shall refuse. With ``may_see_data``,
        a method that declares so may read the data sets that networks were trained on.

        Raises
        ------
        MethodError
            If the file cannot be imported or holds no usable class.
        """
        described = {name: architecture.model_dump() for name, architecture in architectures.items()}
        wanted = {
            "path": str(method.path),
            "class": method.class_name,
            "architectures": described,
            "seed": seed,
            "hidden": list(hidden),
            "may_see_data": may_see_data,
        }
        payload = self._ask("load", wanted, {}).payload
        with _well_formed():
            declared = Declared(
                _text(payload["class"]),
                _text(payload["description"]),
                tuple(_text(verb) for verb in payload["verbs"]),
                _text(payload["privilege"]),
            )
            unsupported = {_text(name): _text(reason) for name, reason in payload["unsupported"].items()}
        return declared, unsupported

    def fit(
        self, models: Models, ids: Sequence[str], facts: dict[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> tuple[float, int | None]:
        """Hand over the train models; seconds that ``fit`` took, and the parameters that the method counts."""
        reply, took = self._ask_and_time("fit", facts | {"deadline": self.watch.deadline}, arrays, models, ids)
        with _well_formed():
            parameters = reply.payload["parameters"]
            return took, None if parameters is None else max(0, int(parameters))

    def predict(self, models: Models, ids: Sequence[str], arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, float]:
        """Hand over a chunk; what ``predict`` returned, and the seconds it took."""
        message, took = self._ask_and_time("predict", {}, arrays, models, ids)
        with _well_formed():
            prediction = message.arrays["prediction"]
            if prediction.dtype != np.float64:
                raise ValueError(prediction.dtype)
            return prediction, took

    def generate(self, count: int) -> tuple[dict[str, np.ndarray], float]:
        """Have so many networks drawn; the stacked tensors that came back, and the seconds it took."""
        message, took = self._ask_and_time("generate", {"count": count}, {})
        with _well_formed():
            if any(array.dtype != np.float32 for array in message.arrays.values()):
                raise ValueError("a draw is of float32")
            return message.arrays, took

    def _ask_and_time(
        self,
        kind: str,
        payload: dict[str, Any],
        arrays: Mapping[str, np.ndarray],
        models: Models | None = None,
        ids: Sequence[str] = (),
    ) -> tuple[Message, float]:
        """The answer, and the seconds that the method took: as the child says, or in the sandbox by our own clock.

        Ours counts the way of the models as well; the child's is right, unless the method has changed it.
        """
        start = time.perf_counter()
        message = self._ask(kind, payload, arrays, models, ids)
        ours = time.perf_counter() - start
        with _well_formed():
            seconds = float(message.payload["seconds"])
            if not 0 <= seconds < math.inf:
                raise ValueError(seconds)
        return message, ours if self._sandboxed else seconds

    def _ask(
        self,
        kind: str,
        payload: dict[str, Any],
        arrays: Mapping[str, np.ndarray],
        models: Models | None = None,
        ids: Sequence[str] = (),
    ) -> Message:
        try:
            with self._bundle(models, ids) as files:
                self._contained.channel.send(kind, payload, arrays, files)
                reply = self._contained.channel.receive()
        except LimitExceededError as limit:
            raise StageFailedError(limit.kind, f"during `{kind}`, {limit.message}") from limit
        except ChannelClosedError as error:
            raise StageFailedError("crashed", f"during `{kind}`, its process {self._death()}") from error
        except ProtocolError as error:
            raise StageFailedError("crashed", f"during `{kind}`, its process sent nonsense: {error}") from error
        if reply.kind == "failed":
            with _well_formed():
                failure, message = _text(reply.payload["kind"]), _text(reply.payload["message"])
            if failure == "load_error":
                raise MethodError(message)
            if failure in get_args(FailureKind):
                raise StageFailedError(cast(FailureKind, failure), message)
            raise StageFailedError("crashed", f"its process reported the unknown failure {failure!r}")
        return reply

    @contextmanager
    def _bundle(self, models: Models | None, ids: Sequence[str]) -> Iterator[list[int]]:
        """The models as an open file that has no name and can only be read."""
        if models is None:
            yield []
            return
        from wslbench.zoo.bundle import write_bundle

        with _sealed_memory() if self._sandboxed else _unlinked_file() as (file, seal):
            write_bundle(models, file, ids)
            file.flush()
            if self._sandboxed:
                self.watch.handed_over += file.tell()
            reader = seal()
            try:
                yield [reader]
            finally:
                os.close(reader)

    def _death(self) -> str:
        self.ending = self._contained.wait_for_exit()
        code = self.ending.exit_code
        if code is None:
            return "was taken down together with its warden"
        if code == -9:
            return "was killed by signal 9 (SIGKILL): often the system ran out of memory"
        return f"was killed by signal {-code}" if code < 0 else f"left with exit code {code}"


@contextmanager
def _unlinked_file() -> Iterator[tuple[BinaryIO, Callable[[], int]]]:
    """A file on disk without a name, and what opens it for reading."""
    with tempfile.NamedTemporaryFile(prefix=_BUNDLE, delete=False) as file:
        try:
            reader = os.open(file.name, os.O_RDONLY | os.O_CLOEXEC)
        finally:
            Path(file.name).unlink()
        try:
            yield cast(BinaryIO, file), lambda: os.dup(reader)
        finally:
            os.close(reader)


@contextmanager
def _sealed_memory() -> Iterator[tuple[BinaryIO, Callable[[], int]]]:
    """A file in memory, and what makes it unchangeable and opens it for reading.

    The file on disk belongs to the user that the child runs as: opened again through ``/proc/self/fd`` it could be
    written to, and fill the disk.
    """
    with os.fdopen(os.memfd_create(_BUNDLE, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b") as file:

        def seal() -> int:
            for_good = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, for_good)
            return os.open(f"/proc/self/fd/{file.fileno()}", os.O_RDONLY | os.O_CLOEXEC)

        yield file, seal


@contextmanager
def _well_formed() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise StageFailedError("crashed", "its process sent an answer that is not one") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value[:_TEXT]
