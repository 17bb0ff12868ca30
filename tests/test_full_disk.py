"""A full disk is known by every name that libraries have for it, and told with the file that had no room."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest
from safetensors import SafetensorError

from wslbench.errors import ResultError, ZooError
from wslbench.full_disk import disk_full, full_disk, naming

NO_SPACE = os.strerror(errno.ENOSPC)
RUST = "Error while serializing: I/O error: No space left on device (os error 28)"


def raised_from(error: BaseException) -> ZooError:
    try:
        try:
            raise error
        except BaseException as cause:
            raise ResultError("it cannot be written") from cause
    except ResultError:
        try:
            raise ZooError("and more went wrong while that was handled")
        except ZooError as last:
            return last


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, NO_SPACE), OSError(errno.EDQUOT, "quota"), SafetensorError(RUST)]
)
def test_it_is_found_behind_other_errors(error: Exception) -> None:
    for each in (error, raised_from(error)):
        found = full_disk(each)
        assert found is not None
        assert found.errno in (errno.ENOSPC, errno.EDQUOT)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "denied"),
        SafetensorError("I/O error: Permission denied (os error 13)"),
        ValueError("a text of a user (os error 28)"),
    ],
)
def test_nothing_else_is_taken_for_it(error: Exception) -> None:
    assert full_disk(raised_from(error)) is None
    with pytest.raises(type(error)) as caught, naming(Path("zoo")):
        raise error
    assert caught.value is error


def test_the_file_is_named_that_was_to_be_written_and_the_name_survives_pickling() -> None:
    with pytest.raises(OSError, match=NO_SPACE) as caught, naming(Path("zoo")):
        raise OSError(errno.ENOSPC, NO_SPACE, "the source of a copy")
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert error.filename == "zoo"
        assert str(disk_full(error)) == (
            f"the disk is full: zoo could not be written ({NO_SPACE}). Nothing that was finished is lost; free some "
            "space and give the same command again, it goes on from there"
        )
