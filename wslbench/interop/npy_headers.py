"""Headers of ``.npy`` files that are not trusted."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Final

_MAGIC: Final = b"\x93NUMPY"
_MAX_BYTES: Final = 10_000  # more than that NumPy does not parse, but it reads it first
_LENGTH_BYTES: Final = {b"\x01\x00": 2, b"\x02\x00": 4}


def npy_header(file: IO[bytes]) -> BytesIO:
    """The header of a file, which stands at its beginning, and some of what follows.

    Raises
    ------
    ValueError
        If the file is of no version that is written for plain numbers, or announces a header that is too long for any.
    """
    start = len(_MAGIC) + 2
    head = file.read(start + 4 + _MAX_BYTES)
    length_bytes = _LENGTH_BYTES.get(head[len(_MAGIC) : start])
    if not head.startswith(_MAGIC) or length_bytes is None:
        raise ValueError("it is of no known version of .npy")
    length = int.from_bytes(head[start : start + length_bytes], "little")
    if length > _MAX_BYTES:
        raise ValueError(f"it announces a header of {length} bytes")
    return BytesIO(head)
