"""The schemas of what a verification leaves: the card of a zoo that was grown again, and a method's gap there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from wslbench.evaluation.result_schema import Estimate, Record
from wslbench.zoo.schema import Name

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ZooHashes(Record):
    """Content hashes of a zoo."""

    weights: Sha256
    annotations: Sha256


class RegrownCard(Record):
    """A zoo that was grown again from secret seeds, and on which methods were verified.

    Attributes
    ----------
    zoo
        Name of both zoos.
    commitment
        To the secret, as the re-grown zoo's card has it.
    recipe
        Hash of the recipe in the re-grown zoo's card.
    public, regrown
        The zoo that methods were fit on, and the one that they were tested on.
    splits
        Hashes of the public zoo's splits, by protocol: the re-grown zoo has the same cells held out.
    targets
        Hashes of the rows of ``targets/<task>.parquet``, by task.
    drawn
        When the secret was drawn: after the methods that are verified here were sent.
    attested_by
        Who says that the targets are those of networks grown from this secret, and that nobody else knew it.
    secret
        Null until it is disclosed; whoever has it can grow the zoo and see that the targets are right.
    """

    schema_version: Literal[1] = 1
    zoo: Name
    commitment: Sha256
    recipe: Sha256
    public: ZooHashes
    regrown: ZooHashes
    splits: dict[str, Sha256]
    targets: dict[str, Sha256]
    drawn: AwareDatetime
    attested_by: Annotated[str, Field(min_length=1, max_length=200)]
    secret: Annotated[str, Field(min_length=16, max_length=2**16)] | None = None


class GapRecord(Record):
    """A method's headline on one task, put three ways; see :class:`~wslbench.tasks.regrown_problem.RegrownProblems`.

    Attributes
    ----------
    method, source_hash
        As in the result that it stands beside.
    metric
        The task's headline.
    public, regrown, refitted
        Fit and tested on the public zoo, on the same runs; fit there and tested on the re-grown one; fit and tested on
        the re-grown one.
    gap
        ``public`` less ``regrown``, in the direction in which more is better, on the same resamples.
    predictions
        Hash of those that ``regrown`` follows from; the others were not kept.
    """

    schema_version: Literal[1] = 1
    method: str
    source_hash: str
    task: str
    metric: str
    public: Estimate
    regrown: Estimate
    refitted: Estimate
    gap: Estimate
    predictions: Sha256
