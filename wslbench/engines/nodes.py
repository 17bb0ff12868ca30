"""What every node of a cluster must have: the shared folder, and the same code as here."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from wslbench.errors import ZooError
from wslbench.full_disk import disk_full, full_disk

ANSWER_SECONDS = 120.0


class Token(NamedTuple):
    """A random text in the shared folder: who can read it there has the same folder.

    It is there as long as somebody waits for the results.
    """

    path: Path
    text: str

    def seen(self) -> bool:
        """Whether it can be read on this machine."""
        try:
            return self.path.read_text() == self.text
        except OSError:
            return False

    def withdraw(self) -> None:
        """Take it away."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def withdrawn(self) -> bool:
        """Whether it was there and is no more; a file system that does not answer says nothing."""
        try:
            self.path.stat()
        except FileNotFoundError:
            return True
        except OSError:
            pass
        return False

    def unseen(self, node: str) -> ZooError:
        """The error for a node that does not see it."""
        return ZooError(
            f"node {node} does not see {self.path.parent} as this machine does: every node must see the folder that "
            "results are written to, under the same path; choose --out on a file system that all nodes share"
        )


@contextlib.contextmanager
def token_in(folder: Path) -> Iterator[Token]:
    """A token in the folder, which is made if need be; both for as long as the block lasts.

    Raises
    ------
    DiskFullError
        If the disk is full.
    """
    text = secrets.token_hex(16)
    token = Token(folder.absolute() / f".seen-by-all-nodes-{text[:8]}", text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        token.path.write_text(text)
    except OSError as error:
        full = full_disk(error)
        if full is not None:
            raise disk_full(full, "this machine", folder) from error
        raise
    try:
        yield token
    finally:
        token.withdraw()


def check_nodes(token: Token) -> None:
    """Ask every node that can do jobs. A node that joins later is only asked for the token, by its first job.

    Raises
    ------
    ZooError
        If a node does not see the folder, has no wslbench or another one, or does not answer.
    """
    here = code_versions()
    names = {
        node["NodeID"]: f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU", 0) >= 1
    }
    answers = {name: _ask(node_id, token) for node_id, name in names.items()}
    for name, answer in answers.items():
        try:
            there = ray.get(answer, timeout=ANSWER_SECONDS)
        except GetTimeoutError as error:
            raise ZooError(
                f"node {name} of the ray cluster has not answered for {ANSWER_SECONDS:.0f} seconds"
            ) from error
        except RayError:  # it was lost meanwhile, and ray will give it no jobs
            continue
        if isinstance(there, str):
            raise ZooError(f"node {name} cannot import wslbench ({there}): install it on every node, as it is here")
        versions, seen = there
        if versions != here:
            other = ", ".join(f"{key} {versions[key]} (here {here[key]})" for key in here if versions[key] != here[key])
            raise ZooError(
                f"node {name} has {other}: all nodes must have the same, or results would depend on the node"
            )
        if not seen:
            raise token.unseen(name)


def code_versions() -> dict[str, str]:
    """What the results of a job may depend on; a build tag such as ``+cpu`` does not count."""
    found = {name: version(name).split("+")[0] for name in ("numpy", "torch")}
    return {"wslbench source": _source_hash(), **found}


def _source_hash() -> str:
    """Of the package's own code: a version number would not tell two states of a checkout apart."""
    root = Path(__file__).resolve().parents[1]  # of the package: importing it would turn the layers round
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _ask(node_id: str, token: Token) -> Any:
    """The future answer of a node."""
    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    task = ray.remote(_question()).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
    return task.remote(str(token.path), token.text)


def _question() -> Callable[[str, str], tuple[dict[str, str], bool] | str]:
    """A task that answers with a node's versions and whether it sees the token, or why it cannot import wslbench."""

    # A function inside a function travels as code; one of a module could not even arrive where wslbench is missing.
    def look(path: str, text: str) -> tuple[dict[str, str], bool] | str:
        try:
            from pathlib import Path

            from wslbench.engines import nodes

            return nodes.code_versions(), nodes.Token(Path(path), text).seen()
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    return look
