"""A method's result on networks that nobody had seen, beside its public one."""

from __future__ import annotations

from dataclasses import dataclass

from wslbench.evaluation.result_schema import Estimate, ResultRecord
from wslbench.evaluation.verified_schema import RegrownCard


@dataclass(frozen=True)
class Verified:
    """A verification that stands.

    Attributes
    ----------
    record
        Fit on the public zoo, tested on the re-grown one; with its numbers by the rules of today.
    gap
        How much better the public result is, over the runs that count in both zoos and the same resamples.
    refitted
        Fit and tested on the re-grown zoo, as the verification says: its predictions are not kept.
    card
        Of the re-grown zoo.
    """

    record: ResultRecord
    gap: Estimate
    refitted: Estimate
    card: RegrownCard

    @property
    def score(self) -> Estimate:
        """The headline on the re-grown zoo."""
        return self.record.metrics[self.record.task.headline]

    @property
    def ok(self) -> bool:
        """Whether the method finished there; what failed holds chance predictions, and its gap says nothing."""
        return self.record.status == "ok"

    @property
    def memorised(self) -> bool:
        """Whether some of the public score is memory of the public networks: the gap's whole interval is above 0."""
        return self.ok and self.gap.low is not None and self.gap.low > 0
