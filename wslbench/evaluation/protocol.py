"""What parent and child say to each other: frames of JSON and raw arrays over a socket, with open files.

A frame is ``[json bytes: u32][array bytes: u64]``, the JSON, the arrays one after the other, C order,
little endian. Open files travel with a frame's first byte. Nothing is pickled and nothing in a frame is
ever executed; a frame that is not what it claims to be raises :class:`ProtocolError`.
"""

from __future__ import annotations

import json
import math
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

_HEAD: Final = struct.Struct("!IQ")
_DTYPES: Final = ("<f8", "<f4", "<i8", "|b1")
_MAX_JSON: Final = 16 * 2**20
_MAX_FILES: Final = 4
_PATIENCE: Final = 0.05  # seconds between two looks at the limits


class ChannelClosedError(Exception):
    """The other side is gone."""


class ProtocolError(Exception):
    """The other side sent something that is not a frame."""


class Message(NamedTuple):
    """One frame, taken apart."""

    kind: str
    payload: dict[str, Any]
    arrays: dict[str, np.ndarray]
    files: list[int]


class Channel:
    """One end of the conversation.

    Parameters
    ----------
    sock
        A connected AF_UNIX stream socket; the channel owns it.
    on_wait
        Called about every 50 ms while the channel waits; what it raises ends the wait. ``None`` waits for
        ever.
    max_array_bytes
        Frames that announce more array bytes are refused.
    """

    def __init__(
        self, sock: socket.socket, on_wait: Callable[[], None] | None = None, max_array_bytes: int = 2**34
    ) -> None:
        self._sock = sock
        self._on_wait = on_wait
        self._max_array_bytes = max_array_bytes
        self._looked = time.monotonic()
        sock.setblocking(on_wait is None)

    def fileno(self) -> int:
        """File descriptor of the socket."""
        return self._sock.fileno()

    def close(self) -> None:
        """Close this end; the other one reads an end of file."""
        self._sock.close()

    def send(
        self,
        kind: str,
        payload: Mapping[str, Any] | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
        files: Sequence[int] = (),
    ) -> None:
        """Send one frame.

        Raises
        ------
        ChannelClosedError
            If the other side is gone.
        """
        stacked = {name: _portable(array) for name, array in (arrays or {}).items()}
        head = {
            "kind": kind,
            "payload": payload or {},
            "arrays": [[name, array.dtype.str, list(array.shape)] for name, array in stacked.items()],
        }
        text = json.dumps(head).encode()
        raw = [array.data.cast("B") for array in stacked.values() if array.size]
        opening = _HEAD.pack(len(text), sum(len(part) for part in raw))
        try:
            self._wait(select.POLLOUT)
            sent = socket.send_fds(self._sock, [opening], list(files)) if files else self._sock.send(opening)
            for part in (memoryview(opening)[sent:], memoryview(text), *raw):
                self._send_all(part)
        except (BrokenPipeError, ConnectionError) as error:
            raise ChannelClosedError from error

    def receive(self, with_files: bool = False) -> Message:
        """Receive one frame.

        Raises
        ------
        ChannelClosedError
            If the other side is gone.
        ProtocolError
            If what came is no frame.
        """
        files: list[int] = []
        self._wait(select.POLLIN)
        try:
            if with_files:
                opening, files, _, _ = socket.recv_fds(self._sock, _HEAD.size, _MAX_FILES)
            else:
                opening = self._sock.recv(_HEAD.size)
        except ConnectionError as error:
            raise ChannelClosedError from error
        if not opening:
            raise ChannelClosedError
        opening += bytes(self._receive_exactly(_HEAD.size - len(opening)))
        json_bytes, array_bytes = _HEAD.unpack(opening)
        if json_bytes > _MAX_JSON or array_bytes > self._max_array_bytes:
            raise ProtocolError(f"a frame of {json_bytes} + {array_bytes} bytes is over the limit")
        text = bytes(self._receive_exactly(json_bytes))
        return _parse(text, self._receive_exactly(array_bytes), files)

    def _send_all(self, part: memoryview) -> None:
        while len(part):
            self._wait(select.POLLOUT)
            part = part[self._sock.send(part) :]

    def _receive_exactly(self, count: int) -> bytearray:
        buffer = bytearray(count)
        view = memoryview(buffer)
        while len(view):
            self._wait(select.POLLIN)
            try:
                got = self._sock.recv_into(view)
            except ConnectionError as error:
                raise ChannelClosedError from error
            if got == 0:
                raise ChannelClosedError
            view = view[got:]
        return buffer

    def _wait(self, event: int) -> None:
        if self._on_wait is None:
            return
        poll = select.poll()
        poll.register(self._sock, event)
        ready = False
        while not ready:
            ready = bool(poll.poll(_PATIENCE * 1000))
            # Also while bytes trickle in: a peer that sends one at a time must not hold off the limits.
            if time.monotonic() - self._looked >= _PATIENCE:
                self._on_wait()
                self._looked = time.monotonic()


def close_files(files: Sequence[int]) -> None:
    """Close file descriptors that came with a frame."""
    for descriptor in files:
        os.close(descriptor)


def _portable(array: np.ndarray) -> np.ndarray:
    portable = np.require(array, requirements="C")
    portable = portable.astype(portable.dtype.newbyteorder("<"), copy=False)
    if portable.dtype.str not in _DTYPES:
        raise ValueError(f"arrays of {array.dtype} do not travel")
    return portable


def _parse(text: bytes, raw: bytearray, files: list[int]) -> Message:
    try:
        head = json.loads(text)
        kind, payload, listed = head["kind"], head["payload"], head["arrays"]
        if not (isinstance(kind, str) and isinstance(payload, dict)):
            raise ProtocolError("a frame without kind or payload")
        arrays: dict[str, np.ndarray] = {}
        offset = 0
        for name, dtype, shape in listed:
            if dtype not in _DTYPES or any(not isinstance(size, int) or size < 0 for size in shape):
                raise ProtocolError(f"array {name!r} has dtype {dtype!r} and shape {shape!r}")
            count = math.prod(shape)
            size = count * np.dtype(dtype).itemsize
            if offset + size > len(raw):
                raise ProtocolError(f"array {name!r} is longer than its frame")
            arrays[str(name)] = np.frombuffer(raw, dtype, count, offset).reshape(shape)
            offset += size
        if offset != len(raw):
            raise ProtocolError("a frame is longer than its arrays")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"not a frame: {error}") from error
    return Message(kind, payload, arrays, files)
