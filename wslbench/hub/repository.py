"""One dataset repository of the hub at one commit: files that come whole, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from wslbench.datasets._hub import TIMEOUT, no_answer, refusal_of
from wslbench.errors import HubError, ZooDamagedError
from wslbench.foreign_text import shown
from wslbench.hub.address import HubAddress, is_commit

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

_KIND = "dataset"


def resolve(address: HubAddress) -> HubAddress:
    """The address with the commit that its revision means today.

    Raises
    ------
    HubError
        If the hub cannot be asked, or has no such repository or revision.
    """
    import huggingface_hub

    try:
        info = huggingface_hub.HfApi().dataset_info(
            address.repository, revision=address.revision, timeout=TIMEOUT, files_metadata=False
        )
    except Exception as error:  # the hub client's http library, and so what it raises, differs between versions
        fail(error, f"zoo {address}")
    if not is_commit(info.sha):
        raise HubError(f"zoo {address}: the hub names no commit for it")
    return HubAddress(address.repository, str(info.sha))


def fail(error: Exception, what: str) -> NoReturn:
    """Raise what a failed request means, in words.

    Raises
    ------
    HubError
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        reason = "HF_HUB_OFFLINE is set, and the cache on this machine does not hold it"
    else:
        # What says nothing of a refusal, and is no failure of the disk, is silence.
        broken = f"the download failed ({type(error).__name__}: {shown(' '.join(str(error).split()))[:300]})"
        reason = refusal_of(error) or (broken if isinstance(error, OSError) else no_answer(constants))
    raise HubError(f"{what} cannot be had from the hub: {reason}") from error


@dataclass(frozen=True)
class HubRepository:
    """A repository at a commit.

    Attributes
    ----------
    address
        With a commit as revision.
    """

    address: HubAddress

    def download(self, file: str, folder: Path, expected: int | None = None, limit: int | None = None) -> Path:
        """Fetch a file to the same place below a folder; a download that broke off goes on where it was.

        Parameters
        ----------
        expected
            Its size in bytes, where that is known.
        limit
            The most bytes that it may have.

        Raises
        ------
        ZooDamagedError
            If the hub announces another size, or sends more than it announced.
        HubError
            If it cannot be fetched.
        """
        import huggingface_hub
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented, if not listed

        target = folder / file
        if target.is_file():  # it came whole, in a call that was stopped before everything was there
            return target
        repository, commit = self.address
        what = f"{file} of {self.address}"
        url = huggingface_hub.hf_hub_url(repository, file, repo_type=_KIND, revision=commit)
        try:
            # Asked by itself, with a time-out: sizes are judged before anything comes, and absent networks are noticed.
            found = huggingface_hub.get_hf_file_metadata(url, timeout=TIMEOUT)
        except Exception as error:
            fail(error, what)
        if found.size is None or (expected is not None and found.size != expected):
            raise ZooDamagedError(f"{what} has {found.size} bytes on the hub, and the manifest says {expected}")
        if limit is not None and found.size > limit:
            raise ZooDamagedError(f"{what} has {found.size} bytes, more than the {limit} that are read")
        headers = build_hf_headers()
        if urlsplit(found.location).netloc != urlsplit(url).netloc:
            headers.pop("authorization", None)  # storage has signed addresses, and no business with the user's token
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.incomplete")
        # The library's own download forgets a broken file at the end of a call; here the next call goes on with it.
        with _Bounded(partial, "ab", limit=found.size, what=what) as stream:
            try:
                http_get(
                    found.location,
                    stream,
                    resume_size=stream.tell(),
                    headers=headers,
                    expected_size=found.size,
                    displayed_filename=file,
                )
            except ZooDamagedError:
                raise
            except Exception as error:
                fail(error, what)
        partial.replace(target)
        return target


class _Bounded(FileIO):
    """A file that takes no more bytes than were announced."""

    def __init__(self, path: Path, mode: str, limit: int, what: str) -> None:
        super().__init__(path, mode)
        self._limit, self._what = limit, what
        if self.tell() > limit:
            self.truncate(0)

    def write(self, data: Buffer, /) -> int:
        content = memoryview(data)
        if self.tell() + content.nbytes > self._limit:
            raise ZooDamagedError(f"{self._what} is longer than the {self._limit} bytes that the hub announced")
        written = 0
        while written < content.nbytes:  # a file without a buffer may take less at a time
            written += super().write(content[written:])
        return written
