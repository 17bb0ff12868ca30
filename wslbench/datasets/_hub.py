"""Files of a repository on the Hugging Face hub, and what to say when they cannot be had."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wslbench.datasets._places import DATA_VARIABLE
from wslbench.errors import DatasetError

TIMEOUT = 10.0  # seconds for the hub to answer at all


@dataclass(frozen=True)
class HubFiles:
    """Files of one hub repository at one revision.

    Attributes
    ----------
    data_set
        The data set that they belong to; its folder below WSLBENCH_DATA bears this name.
    repository
        ``owner/name`` on the hub.
    files
        Paths in the repository.
    pattern
        One glob pattern that matches them, for the command in the error message.
    revision
        A commit, or a branch.
    kind
        The hub's kind of repository.
    """

    data_set: str
    repository: str
    files: tuple[str, ...]
    pattern: str
    revision: str = "main"
    kind: Literal["dataset", "model"] = "dataset"

    @property
    def how_to_get_them(self) -> str:
        """What to fetch on a machine with a network, and where to put it."""
        return (
            f"fetch {self.pattern} of the hub's {self.kind} repository {self.repository} where there is a network "
            f'(`hf download {self.repository} --repo-type {self.kind} --revision {self.revision} --include "'
            f'{self.pattern}" --local-dir {self.data_set}`), put the folder {self.data_set} into a folder of data sets '
            f"and set {DATA_VARIABLE} to that one, so that it is ${DATA_VARIABLE}/{self.data_set}"
        )

    def fetch(self, file: str) -> Path:
        """One file, from the hub's own cache on this machine or by download.

        Raises
        ------
        DatasetError
            If it is neither cached nor to be had; the message tells an unreachable hub from a repository that is
            gated or gone.
        """
        import huggingface_hub
        from huggingface_hub import constants

        cached = huggingface_hub.try_to_load_from_cache(
            self.repository, file, revision=self.revision, repo_type=self.kind
        )
        if isinstance(cached, str):
            return Path(cached)
        try:
            # Asked once, with a time-out: the download by itself would try an absent network for minutes.
            url = huggingface_hub.hf_hub_url(self.repository, file, revision=self.revision, repo_type=self.kind)
            huggingface_hub.get_hf_file_metadata(url, timeout=TIMEOUT)
        except Exception as error:  # the hub client's http library, and so what it raises, differs between versions
            raise self._refusal(file, refusal_of(error) or no_answer(constants)) from error
        try:
            return Path(
                huggingface_hub.hf_hub_download(
                    self.repository, file, revision=self.revision, repo_type=self.kind, etag_timeout=TIMEOUT
                )
            )
        except Exception as error:
            reason = (
                refusal_of(error) or f"the download broke off ({type(error).__name__}: {' '.join(str(error).split())})"
            )
            raise self._refusal(file, reason) from error

    def _refusal(self, file: str, reason: str) -> DatasetError:
        unset = "" if os.environ.get(DATA_VARIABLE) else f" ({DATA_VARIABLE} is not set)"
        return DatasetError(
            f"data set {self.data_set!r}: it is not in ${DATA_VARIABLE}/{self.data_set}{unset}, and {file} of "
            f"{self.repository} cannot be fetched from the hub: {reason}. To use it offline, {self.how_to_get_them}"
        )


def refusal_of(error: Exception) -> str | None:
    """Why the hub said no; None where it said nothing."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "the repository is gated (accept its terms on the hub and log in with `hf auth login`)"
    if isinstance(error, errors.RepositoryNotFoundError):
        return "it has no such repository, or shows it only to those who may see it (`hf auth login`)"
    if isinstance(error, errors.RevisionNotFoundError):
        return "the repository no longer has that revision"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.EntryNotFoundError) and status is not None:
        return "the repository no longer has that file"
    return None if status is None else f"it answered with status {status}"


def no_answer(constants: Any) -> str:
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set, and the hub's cache on this machine does not hold the file"
    return f"{constants.ENDPOINT} is unreachable from here"
