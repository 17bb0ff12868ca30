"""Files that ``torch.save`` wrote of plain state dicts, mapped without torch: several times as fast, and no unpickling.

Such a file is a zip archive of uncompressed members: one a storage, and a pickle that says which tensors lie where in
them. The pickle is not executed. Its instructions are read by a loop that knows the thirty of them which a state
dict consists of, and that makes nothing but numbers, texts, tuples, dictionaries and views of the file. Where it meets
anything else it gives up, and :func:`wslbench.interop.torch_files.load_torch` has to judge.
"""

from __future__ import annotations

import math
import mmap
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

_GLOBALS: Final = ("torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter", "collections OrderedDict")
_DTYPES: Final = {
    f"torch {kind}Storage": np.dtype(code)
    for kind, code in {
        "Float": "<f4",
        "Double": "<f8",
        "Half": "<f2",
        "Long": "<i8",
        "Int": "<i4",
        "Short": "<i2",
        "Char": "i1",
        "Byte": "u1",
        "Bool": "?",
    }.items()
}
_NESTED: Final = ("state_dict", "model_state_dict", "model")  # where trainers put it, by custom
_LOCAL_HEADER_BYTES: Final = 30
_MAX_PICKLE_BYTES: Final = 2**20  # names and shapes of thousands of tensors
_MAX_MARKS: Final = 64  # opened and not closed: nothing is nested so deeply
_MAX_ITEMS: Final = 4_096  # waiting to be put into a list or dictionary, which happens a thousand at a time
_MAX_KEY: Final = 2**31  # larger ones can be chosen so that a dictionary takes the square of their number in time
_MAX_POPULATION_BYTES: Final = 256 * 2**20  # the same of thousands of networks


class NotPlainError(Exception):
    """The file is not of the form that is understood here; it may be a sound one all the same."""


class _Storage(NamedTuple):
    dtype: np.dtype[Any]
    key: str


def map_state(path: Path, members: Sequence[zipfile.ZipInfo]) -> dict[str, np.ndarray[Any, Any]]:
    """The tensors of a state dict by name, as read-only views of the mapped file.

    Parameters
    ----------
    members
        The archive's, which have been checked: stored uncompressed, and of no more bytes than the file.

    Raises
    ------
    NotPlainError
        If anything in the file is not as ``torch.save`` writes contiguous CPU tensors of a state dict.
    """
    state = _objects(path, members, frozenset(), _MAX_PICKLE_BYTES)
    if isinstance(state, dict):
        state = state_among(state)
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, np.ndarray) for name, tensor in state.items()
    ):
        raise NotPlainError
    return state


def state_among(content: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The state dict that a checkpoint holds beside its epoch, its optimizer and so on; else the content itself."""
    found = [content[name] for name in _NESTED if isinstance(content.get(name), Mapping)]
    return found[0] if len(found) == 1 else content


@dataclass
class Stub:
    """What stands for an object of a class that is known by its name alone: what it was made of, and its attributes."""

    name: str
    arguments: tuple[Any, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


def map_objects(path: Path, members: Sequence[zipfile.ZipInfo], stubs: Iterable[str] = ()) -> object:
    """What a file of torch holds: numbers, texts, lists, dictionaries, tensors as views of the file, and stubs.

    Parameters
    ----------
    members
        As for :func:`map_state`.
    stubs
        Classes of which a :class:`Stub` is made, by the last part of their names. Nothing is imported or called.

    Raises
    ------
    NotPlainError
        If there is anything else in it.
    """
    return _objects(path, members, frozenset(stubs), _MAX_POPULATION_BYTES)


def _objects(path: Path, members: Sequence[zipfile.ZipInfo], stubs: frozenset[str], most: int) -> object:
    pickles = [member for member in members if member.filename.endswith("/data.pkl")]
    if len(pickles) != 1 or pickles[0].file_size > most:
        raise NotPlainError
    with path.open("rb") as file:
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    storages = _Storages(memory, members, pickles[0].filename.removesuffix("data.pkl"))
    try:
        return _interpret(storages.content(pickles[0]), storages, stubs)
    except (IndexError, KeyError, ValueError, TypeError, OverflowError, UnicodeDecodeError, struct.error) as error:
        raise NotPlainError from error


class _Storages:
    """The members of an archive by what the pickle calls them."""

    def __init__(self, memory: mmap.mmap, members: Sequence[zipfile.ZipInfo], prefix: str) -> None:
        self._memory = memory
        self._members = {member.filename: member for member in members}
        self._prefix = prefix
        order = self._members.get(f"{prefix}byteorder")
        if order is not None and self.content(order) != b"little":
            raise NotPlainError

    def content(self, member: zipfile.ZipInfo) -> bytes:
        begin = self._begin(member)
        return self._memory[begin : begin + member.file_size]

    def _begin(self, member: zipfile.ZipInfo) -> int:
        """Where a member's data begins: behind its local header, whose names need not be as long as the directory's."""
        start = member.header_offset
        header = self._memory[start : start + _LOCAL_HEADER_BYTES]
        if header[:4] != b"PK\x03\x04" or len(header) < _LOCAL_HEADER_BYTES:
            raise NotPlainError
        begin = start + _LOCAL_HEADER_BYTES + int.from_bytes(header[26:28], "little")
        begin += int.from_bytes(header[28:30], "little")
        if begin + member.file_size > len(self._memory):
            raise NotPlainError
        return begin

    def tensor(self, arguments: tuple[Any, ...]) -> np.ndarray[Any, Any]:
        """A call of ``_rebuild_tensor_v2``: storage, offset, shape, strides, and what does not matter here."""
        storage, offset, shape, strides = arguments[:4]
        if type(storage) is not _Storage or type(offset) is not int or offset < 0:
            raise NotPlainError
        if not all(type(size) is int and size >= 0 for size in shape) or not _contiguous(shape, strides):
            raise NotPlainError
        member = self._members[f"{self._prefix}data/{storage.key}"]
        count, size = math.prod(shape), storage.dtype.itemsize
        if (offset + count) * size > member.file_size:
            raise NotPlainError
        begin = self._begin(member) + offset * size
        return np.frombuffer(self._memory, storage.dtype, count, begin).reshape(shape)


def _contiguous(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size > 1 and stride != expected:
            return False
        expected *= size
    return True


def _interpret(code: bytes, storages: _Storages, stubs: frozenset[str]) -> object:
    """Follow the pickle's instructions (those of ``pickletools``, by their letters), most frequent first."""
    stack: list[Any] = []
    marked: list[list[Any]] = []
    memo: dict[int, Any] = {}
    at = 0
    while True:
        operation = code[at]
        at += 1
        if len(stack) > _MAX_ITEMS:
            raise NotPlainError
        if operation == 0x71:  # q: BINPUT
            memo[code[at]] = stack[-1]
            at += 1
        elif operation == 0x68:  # h: BINGET
            stack.append(memo[code[at]])
            at += 1
        elif operation == 0x72:  # r: LONG_BINPUT
            memo[int.from_bytes(code[at : at + 4], "little")] = stack[-1]
            at += 4
        elif operation == 0x4B:  # K: BININT1
            stack.append(code[at])
            at += 1
        elif operation == 0x28:  # (: MARK
            if len(marked) == _MAX_MARKS:
                raise NotPlainError
            marked.append(stack)
            stack = []
        elif operation == 0x74:  # t: TUPLE
            items = tuple(stack)
            stack = marked.pop()
            stack.append(items)
        elif operation == 0x58:  # X: BINUNICODE
            length = int.from_bytes(code[at : at + 4], "little")
            at += 4
            stack.append(code[at : at + length].decode())
            at += length
        elif operation == 0x6A:  # j: LONG_BINGET
            stack.append(memo[int.from_bytes(code[at : at + 4], "little")])
            at += 4
        elif operation == 0x4D:  # M: BININT2
            stack.append(code[at] | code[at + 1] << 8)
            at += 2
        elif operation == 0x52:  # R: REDUCE
            arguments = stack.pop()
            stack[-1] = _called(stack[-1], arguments, storages, stubs)
        elif operation == 0x51:  # Q: BINPERSID
            stack[-1] = _storage(stack[-1])
        elif operation == 0x29:  # ): EMPTY_TUPLE
            stack.append(())
        elif operation == 0x89 or operation == 0x88:  # NEWFALSE, NEWTRUE
            stack.append(operation == 0x88)
        elif 0x85 <= operation <= 0x87:  # TUPLE1, TUPLE2, TUPLE3
            count = operation - 0x84
            stack[-count:] = [tuple(stack[-count:])]
        elif operation == 0x4A:  # J: BININT
            stack.append(int.from_bytes(code[at : at + 4], "little", signed=True))
            at += 4
        elif operation == 0x63:  # c: GLOBAL
            end = code.index(b"\n", code.index(b"\n", at) + 1)
            name = code[at:end].decode().replace("\n", " ")
            if name not in _DTYPES and name not in _GLOBALS and name.rpartition(" ")[2] not in stubs:
                raise NotPlainError
            stack.append(_Name(name))
            at = end + 1
        elif operation == 0x75:  # u: SETITEMS
            items = tuple(stack)
            stack = marked.pop()
            for key, value in zip(items[::2], items[1::2], strict=True):
                _set(stack[-1], key, value)
        elif operation == 0x73:  # s: SETITEM
            value, key = stack.pop(), stack.pop()
            _set(stack[-1], key, value)
        elif operation == 0x7D:  # }: EMPTY_DICT
            stack.append({})
        elif operation == 0x62:  # b: BUILD; what is attached to a state dict (its modules' versions) is left out
            attributes = stack.pop()
            if type(stack[-1]) is Stub and type(attributes) is dict:
                stack[-1].attributes.update(attributes)
        elif operation == 0x81:  # NEWOBJ
            arguments = stack.pop()
            stack[-1] = _stub(stack[-1], arguments, stubs)
        elif operation == 0x5D:  # ]: EMPTY_LIST
            stack.append([])
        elif operation == 0x65:  # e: APPENDS
            items = tuple(stack)
            stack = marked.pop()
            if type(stack[-1]) is not list:
                raise NotPlainError
            stack[-1].extend(items)
        elif operation == 0x61:  # a: APPEND
            value = stack.pop()
            if type(stack[-1]) is not list:
                raise NotPlainError
            stack[-1].append(value)
        elif operation == 0x47:  # G: BINFLOAT
            stack.append(struct.unpack(">d", code[at : at + 8])[0])
            at += 8
        elif operation == 0x8A:  # LONG1
            length = code[at]
            stack.append(int.from_bytes(code[at + 1 : at + 1 + length], "little", signed=True))
            at += 1 + length
        elif operation == 0x4E:  # N: NONE
            stack.append(None)
        elif operation == 0x80:  # PROTO
            at += 1
        elif operation == 0x2E and not marked and len(stack) == 1:  # .: STOP
            return stack[0]
        else:
            raise NotPlainError


def _set(dictionary: Any, key: object, value: object) -> None:
    """Tuples are no keys here: hashing tuples of tuples of one tuple can take any time."""
    if type(dictionary) is not dict or not (type(key) is str or (type(key) is int and abs(key) < _MAX_KEY)):
        raise NotPlainError
    dictionary[key] = value


class _Name(str):
    """A global that the pickle names: a text, and distinct from every text in it."""

    __slots__ = ()


def _called(function: object, arguments: tuple[Any, ...], storages: _Storages, stubs: frozenset[str]) -> object:
    """What a call would make: a tensor, a parameter's tensor, an empty dictionary, or a stub."""
    if type(function) is not _Name:
        raise NotPlainError
    if function == _GLOBALS[0]:
        return storages.tensor(arguments)
    if function == _GLOBALS[1] and isinstance(arguments[0], np.ndarray):
        return arguments[0]
    if function == _GLOBALS[2] and arguments == ():
        return {}
    return _stub(function, arguments, stubs)


def _stub(function: object, arguments: tuple[Any, ...], stubs: frozenset[str]) -> Stub:
    if type(function) is not _Name or function.rpartition(" ")[2] not in stubs or type(arguments) is not tuple:
        raise NotPlainError
    return Stub(str(function), arguments)


def _storage(reference: tuple[Any, ...]) -> _Storage:
    """What a persistent id stands for: ``("storage", type, key, device, size)``."""
    kind, storage_type, key, device, _ = reference
    if kind != "storage" or type(storage_type) is not _Name or type(key) is not str or device != "cpu":
        raise NotPlainError
    return _Storage(_DTYPES[storage_type], key)
