"""Frames arrive as they were sent, and what is no frame is refused."""

from __future__ import annotations

import json
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wslbench.evaluation.protocol import Channel, ChannelClosedError, ProtocolError


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    """A waiting channel, and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours, on_wait=lambda: None, max_array_bytes=2**26)
    with theirs:
        yield channel, theirs
    channel.close()


def frame(head: object, raw: bytes = b"") -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("!IQ", len(text), len(raw)) + text + raw


def test_arrays_arrive_with_their_types_and_shapes(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    arrays = {
        "matrix": np.arange(12.0).reshape(3, 4).T,
        "codes": np.arange(5, dtype=np.int64),
        "none": np.empty((0, 7)),
        "scalar": np.array(2.5),
        "mask": np.array([True, False]),
        "big": np.random.default_rng(0).normal(size=2**21),
        "foreign": np.arange(3, dtype=">f8"),
    }
    sender = threading.Thread(target=Channel(theirs).send, args=("kind", {"a": [1, "β"]}, arrays))
    sender.start()
    message = channel.receive()
    sender.join()
    assert (message.kind, message.payload) == ("kind", {"a": [1, "β"]})
    assert message.arrays.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(message.arrays[name], array)
        assert message.arrays[name].shape == array.shape


def test_open_files_travel(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    with tempfile.TemporaryFile() as file:
        file.write(b"content")
        file.flush()
        channel.send("file", files=[file.fileno()])
    (descriptor,) = Channel(theirs).receive(with_files=True).files
    assert os.pread(descriptor, 100, 0) == b"content"
    os.close(descriptor)


def test_objects_do_not_travel(pair: tuple[Channel, socket.socket]) -> None:
    with pytest.raises(ValueError, match="do not travel"):
        pair[0].send("kind", {}, {"pickled": np.array([object()])})


@pytest.mark.parametrize(
    "sent",
    [
        b"x" * 100,
        struct.pack("!IQ", 2**31, 0),
        struct.pack("!IQ", 2, 2**40),
        struct.pack("!IQ", 4, 0) + b"nope",
        frame([]),
        frame({"kind": "a"}),
        frame({"kind": 1, "payload": {}, "arrays": []}),
        frame({"kind": "a", "payload": [], "arrays": []}),
        frame({"kind": "a", "payload": {}, "arrays": [["x", "|O", [1]]]}, b"12345678"),
        frame({"kind": "a", "payload": {}, "arrays": [["x", "<f8", [-1]]]}, b"12345678"),
        frame({"kind": "a", "payload": {}, "arrays": [["x", "<f8", [2]]]}, b"12345678"),
        frame({"kind": "a", "payload": {}, "arrays": [["x", "<f8", [2**62, 2**62]]]}, b"12345678"),
        frame({"kind": "a", "payload": {}, "arrays": []}, b"12345678"),
        frame({"kind": "a", "payload": {}, "arrays": [["x", "<f8"]]}, b"12345678"),
    ],
)
def test_what_is_no_frame_is_refused(pair: tuple[Channel, socket.socket], sent: bytes) -> None:
    channel, theirs = pair
    theirs.sendall(sent)
    with pytest.raises(ProtocolError):
        channel.receive()


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    ours, theirs = socket.socketpair()
    channel = Channel(ours, on_wait=lambda: None, max_array_bytes=1000)
    with theirs:
        theirs.sendall(noise)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises((ProtocolError, ChannelClosedError)):
            channel.receive()
    channel.close()


def test_a_peer_that_goes_away_is_noticed(pair: tuple[Channel, socket.socket]) -> None:
    channel, theirs = pair
    theirs.sendall(b"\0\0")
    theirs.close()
    with pytest.raises(ChannelClosedError):
        channel.receive()
    with pytest.raises(ChannelClosedError):
        channel.send("kind", {}, {"big": np.zeros(2**20)})


class _EnoughError(Exception):
    pass


@pytest.mark.parametrize("direction", ["receive", "send", "trickle"])
def test_waiting_looks_at_the_limits(direction: str) -> None:
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise _EnoughError

    ours, theirs = socket.socketpair()
    channel = Channel(ours, look)
    over = threading.Event()

    def trickle() -> None:
        theirs.sendall(struct.pack("!IQ", 10**6, 0))
        while not over.wait(0.01):
            theirs.sendall(b"x")

    feeder = threading.Thread(target=trickle)
    if direction == "trickle":
        feeder.start()
    with pytest.raises(_EnoughError):
        channel.send("kind", {}, {"big": np.zeros(2**22)}) if direction == "send" else channel.receive()
    over.set()
    if direction == "trickle":
        feeder.join()
    channel.close()
    theirs.close()
