"""Files of ``torch.save`` that are not trusted: what their pickle names is read before any of it is loaded.

``torch.load(weights_only=True)`` executes nothing, but some of what it still builds takes all memory or time: a
``bytearray`` of any length, tensors without values, a tuple of tuples of itself, which takes for ever to hash. A state
dict needs four constructors and no such tuple.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import zipfile
from itertools import pairwise
from pathlib import Path

from wslbench.errors import ZooFormatError
from wslbench.interop.archives import open_archive

_MAX_PICKLE_BYTES = 2**20  # names and shapes of thousands of tensors
_MAX_MARKS = 64  # opened and not closed: nothing is nested so deeply
_MAX_INTEGER = 2**63  # beyond it any number of integers can share a hash, and a dictionary takes for ever
_CLOSING = frozenset({"TUPLE", "LIST", "DICT", "SETITEMS", "APPENDS", "POP_MARK", "INST", "OBJ"})
_CONSTRUCTORS = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch(\.storage)? [A-Za-z0-9]+Storage"
)


def load_torch(path: Path) -> object:
    """What a file of ``torch.save`` holds: tensors, and maps, lists and plain values around them, on the CPU.

    Raises
    ------
    ZooFormatError
        If it is no such file, or its pickle holds anything else.
    OSError
        If it cannot be read.
    """
    with open_archive(path, stored=True) as archive:
        _check_pickle(path, archive)
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # Of the values in a pickle torch checks only as much as it needs to be safe; then any error may come.
    except (ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, RuntimeError,
            TypeError, ValueError, pickle.UnpicklingError) as error:  # fmt: skip
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise ZooFormatError(f"{path} cannot be read as a plain state dict: {reason}") from error


def _check_pickle(path: Path, archive: zipfile.ZipFile) -> None:
    pickles = [entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ZooFormatError(f"{path} is no file of torch.save: it holds {len(pickles)} pickles")
    if pickles[0].file_size > _MAX_PICKLE_BYTES:
        raise ZooFormatError(f"{path}: its pickle has more than {_MAX_PICKLE_BYTES} bytes")
    tuples: set[object] = set()
    marks = 0
    try:
        content = archive.read(pickles[0])
        for (before, version, _), (operation, value, _) in pairwise(pickletools.genops(content)):
            if operation.name in ("GLOBAL", "INST") and not _CONSTRUCTORS.fullmatch(str(value)):
                named = str(value).replace(" ", ".")
                raise ZooFormatError(f"{path}: its pickle asks for {named!r}, which no state dict needs; not executed")
            marks += (operation.name == "MARK") - (operation.name in _CLOSING)
            if marks > _MAX_MARKS:
                raise ZooFormatError(f"{path}: its pickle is nested too deeply")
            if isinstance(value, int) and not -_MAX_INTEGER <= value < _MAX_INTEGER:
                raise ZooFormatError(f"{path}: its pickle holds an integer of more than 64 bits")
            if before.name == "PROTO" and version != 2:
                raise ZooFormatError(f"{path}: its pickle is of protocol {version}, that of torch.save is 2")
            if operation.name in ("BINPUT", "LONG_BINPUT") and before.name.startswith("TUPLE"):
                tuples.add(value)
            elif operation.name in ("BINGET", "LONG_BINGET") and value in tuples:
                raise ZooFormatError(f"{path}: its pickle uses a tuple again, and could unfold it without end")
    except (ValueError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ZooFormatError(f"{path}: its pickle cannot be read: {error}") from error
