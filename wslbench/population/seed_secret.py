"""The secret of a zoo that is grown again, and the commitment to it: all that the zoo stores of it.

Public zoos draw every seed from names, so that everybody can grow them, and a method can have memorised them. With a
secret, the seeds of all runs (initial weights, order of the data, augmentation) are drawn from names and secret
together: networks of the same cells that nobody has seen. Ids of checkpoints, and with them the order of rows, follow
the commitment.

What is not drawn anew, and why:

* **The data set, its subsets and its wrong labels.** They are part of the question: the frozen cut-offs are losses on
  these very labels, and a method that is fit on the public zoo may rely on them. They tell nothing about new weights.
* **How order parameters are measured** (seed pairs, samples of Hessians and CKA, starts of curves): the definition of
  the labels, the same for both zoos, so that a difference of scores is one of networks.
* **The folds.** The same cells are held out, wherever they have the same phase.
"""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass, field
from pathlib import Path

from wslbench.errors import RecipeError
from wslbench.foreign_text import read_bytes

MIN_BYTES = 16
"""A shorter secret could be found by trying: the commitment says when a guess is right."""

_MAX_BYTES = 2**16
_COMMITMENT = b"wslbench/seed-commitment/1\x1f"


@dataclass(frozen=True)
class SeedSecret:
    """A secret that seeds are drawn from. It is not shown when printed, and only :attr:`commitment` may be stored.

    Attributes
    ----------
    key
        For :func:`wslbench.training.seed_from`.

    Raises
    ------
    RecipeError
        If the key has less than :data:`MIN_BYTES` bytes.
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < MIN_BYTES:
            raise RecipeError(
                f"the seed secret has {len(self.key)} bytes, and at least {MIN_BYTES} are asked for: draw one by "
                "`head -c 32 /dev/urandom | base64`"
            )

    @property
    def commitment(self) -> str:
        """SHA-256 of a prefix and the key: whoever learns the secret later can check that the zoo was grown from it.

        The prefix keeps it apart from every other hash of the key.
        """
        return hashlib.sha256(_COMMITMENT + self.key).hexdigest()


def read_seed_secret(path: Path) -> SeedSecret:
    """The secret in a file: its bytes, without white space around them.

    Raises
    ------
    RecipeError
        If the file cannot be read, or holds too few bytes or more than 64 KiB.
    """
    try:
        content = read_bytes(path, _MAX_BYTES)
    except OSError as error:
        raise RecipeError(f"{path}: the seed secret cannot be read: {error}") from error
    try:
        return SeedSecret(content.strip())
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from None


def others_can_read(path: Path) -> bool:
    """Whether every user of this machine may read a file."""
    return bool(path.stat().st_mode & stat.S_IROTH)


def commitment_record(secret: SeedSecret | None) -> dict[str, str]:
    """What records of a zoo say of its secret; nothing where it has none, so that those stay as they always were."""
    return {} if secret is None else {"seed_commitment": secret.commitment}
