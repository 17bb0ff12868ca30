"""Publishing a zoo on the hub: one commit that holds all of it, with a card that people can read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from wslbench.datasets._hub import no_answer, refusal_of
from wslbench.errors import HubError, LandscapeError, ZooDamagedError
from wslbench.foreign_text import shown
from wslbench.hub.address import HubAddress, is_commit, parse_address
from wslbench.hub.dataset_card import PICTURE, dataset_card
from wslbench.landscape.diagram import draw_diagram
from wslbench.zoo import Zoo, verify
from wslbench.zoo.documents import CARD, MANIFEST

_KIND = "dataset"
_OURS = ("weights/", "splits/")  # what is in these folders of a repository and not in the zoo is of a former version


class Pushed(NamedTuple):
    """What was published: its address with the commit, how many files, and how many of a former version went."""

    address: HubAddress
    files: int
    deleted: int


def push_zoo(folder: Path, repository: str, revision: str = "main", private: bool = False) -> Pushed:
    """Verify a zoo and commit it to a dataset repository, which is made if there is none.

    Parameters
    ----------
    repository
        ``owner/name``.
    revision
        The branch to commit to.
    private
        Whether a new repository is a private one.

    Raises
    ------
    ZooDamagedError
        If the zoo is not sound.
    HubError
        If the hub refuses or cannot be reached.
    """
    import huggingface_hub
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, constants

    address = parse_address(f"{repository}@{revision}")
    zoo = Zoo(folder)
    problems = verify(zoo)
    if problems:
        raise ZooDamagedError(f"zoo {zoo.name!r} is not sound, and not published: " + "; ".join(problems))
    files = zoo_files(zoo)
    api = huggingface_hub.HfApi()
    with tempfile.TemporaryDirectory() as scratch:
        picture = _picture(zoo, Path(scratch) / PICTURE)
        card = dataset_card(zoo, address, picture is not None)
        additions = [CommitOperationAdd(file, str(zoo.path / file)) for file in files]
        additions.append(CommitOperationAdd("README.md", card.encode()))
        if picture is not None:
            additions.append(CommitOperationAdd(PICTURE, str(picture)))
        try:
            api.create_repo(address.repository, repo_type=_KIND, private=private, exist_ok=True)
            there = api.list_repo_files(address.repository, repo_type=_KIND, revision=revision)
            stale = [file for file in there if file.startswith(_OURS) and file not in files]
            with _plain_uploads():
                done = api.create_commit(
                    address.repository,
                    [*additions, *(CommitOperationDelete(file) for file in stale)],
                    commit_message=f"{zoo.name} {zoo.card.content_version}, annotations {zoo.card.annotation_version}",
                    repo_type=_KIND,
                    revision=revision,
                )
        except Exception as error:  # the hub client's http library, and so what it raises, differs between versions
            reason = refusal_of(error) or f"{no_answer(constants)} ({shown(' '.join(str(error).split()))[:300]})"
            raise HubError(f"zoo {zoo.name!r} cannot be published as {address}: {reason}") from error
    if not is_commit(done.oid):
        raise HubError(f"{address}: the hub took the zoo, and names no commit for it")
    return Pushed(HubAddress(address.repository, str(done.oid)), len(additions), len(stale))


@contextmanager
def _plain_uploads() -> Iterator[None]:
    """Have the hub's library send files by HTTP, not by Xet, as downloads come here and as uploads are tested.

    Xet needs a service beside the hub's, and what it saves, parts that several files share, shards hardly have. The
    library knows no argument for it, only this constant of the process, which is afterwards what it was before.
    """
    from huggingface_hub import constants

    before = getattr(constants, "HF_HUB_DISABLE_XET", False)  # the oldest versions asked the environment alone
    constants.HF_HUB_DISABLE_XET = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_XET = before


def zoo_files(zoo: Zoo) -> list[str]:
    """Every file that a zoo consists of, the manifest last."""
    splits = [f"splits/{protocol}.parquet" for protocol in zoo.protocols]
    return [CARD, "models.parquet", "pairs.parquet", *splits, *sorted(zoo.manifest.weights.shards), MANIFEST]


def _picture(zoo: Zoo, path: Path) -> Path | None:
    """The phase diagram; None of a zoo without phases."""
    try:
        draw_diagram(zoo, path, ["phase"])
    except LandscapeError:
        return None
    return path
