"""Learning-rate schedules: the factor on the peak rate, and a cycled momentum, at every step of a run."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

ScheduleName = Literal["constant", "cosine", "one_cycle", "plateau_linear", "step"]


class Schedule(BaseModel):
    """How the learning rate of a run changes, step by step, as a factor on its peak.

    Attributes
    ----------
    schedule
        ``constant``; ``cosine`` to 0 over the run; ``step``: times ``step_factor`` at the end of each of
        ``step_epochs``; ``one_cycle``: a rise to the peak, then a fall, both along half a cosine (Smith and
        Topin 2018, arXiv 1708.07120, with the parameters of ``torch.optim.lr_scheduler.OneCycleLR``);
        ``plateau_linear``: 1 for half of the epochs, then linearly down to .01 at nine tenths, changed once an epoch
        (the curves of Garipov et al. 2018, arXiv 1802.10026).
    compounding
        ``plateau_linear`` only: each epoch's factor multiplies the rate of the epoch before, not the peak. So does a
        published code; the rate is then below a thousandth of its peak long before the end.
    warmup_epochs
        Length of a linear warm-up before any of the others; ``one_cycle`` rises by itself. In epochs, not as a
        share of the run: a run that goes on for twice as long then has the shorter run as its first half (for
        the constant schedule).
    step_epochs
        Ascending, counted from the beginning of the run; parts of an epoch are rounded to whole steps.
    one_cycle_rise
        Share of the run's steps on the way up.
    one_cycle_start, one_cycle_end
        The first rate is the peak divided by ``one_cycle_start``, the last is the first divided by
        ``one_cycle_end``.
    cycled_momentum
        Momentum ``(low, high)`` that goes against the rate of ``one_cycle``: high at the ends, low at the peak.
        None: the optimiser's own throughout.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schedule: ScheduleName = "constant"
    warmup_epochs: float = Field(default=0.0, ge=0)
    step_epochs: list[float] = []
    step_factor: float = Field(default=0.1, gt=0)
    one_cycle_rise: float = Field(default=0.3, gt=0, lt=1)
    one_cycle_start: float = Field(default=25.0, ge=1)
    one_cycle_end: float = Field(default=1e4, ge=1)
    cycled_momentum: tuple[float, float] | None = None
    compounding: bool = False

    @model_validator(mode="after")
    def _fields_belong_to_the_schedule(self) -> Self:
        if self.schedule == "one_cycle":
            if self.warmup_epochs:
                raise ValueError("warmup_epochs: one_cycle has its own warm-up; set one_cycle_rise instead")
        elif self.cycled_momentum is not None:
            raise ValueError(f"cycled_momentum: momentum is cycled with schedule one_cycle only, not {self.schedule}")
        if self.cycled_momentum is not None and not 0 <= self.cycled_momentum[0] <= self.cycled_momentum[1] < 1:
            raise ValueError("cycled_momentum: (low, high) with 0 <= low <= high < 1 is asked for")
        if self.compounding and self.schedule != "plateau_linear":
            raise ValueError(f"compounding: only schedule plateau_linear compounds, not {self.schedule}")
        if (self.schedule == "step") != bool(self.step_epochs):
            raise ValueError("step_epochs: schedule step needs at least one epoch, the other schedules take none")
        if self.step_epochs != sorted(set(self.step_epochs)):
            raise ValueError("step_epochs: they must ascend without repetition")
        if self.step_epochs and not self.step_epochs[0] > self.warmup_epochs:
            raise ValueError("step_epochs: the first step must come after the warm-up")
        return self

    def rate_factor(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        """Factor on the peak learning rate at ``step``, counted from 0, of a run of ``epochs``."""
        total = epochs * steps_per_epoch
        if self.schedule == "one_cycle":
            start = 1.0 / self.one_cycle_start
            return self._cycle(step, total, start, 1.0, start / self.one_cycle_end)
        warmup = self.warmup_epochs * steps_per_epoch
        if step < warmup:
            return (step + 1) / warmup
        if self.schedule == "constant":
            return 1.0
        if self.schedule == "plateau_linear":
            epoch = step // steps_per_epoch + 1
            passed = range(1, epoch + 1) if self.compounding else [epoch]
            return float(np.prod([_plateau_linear(one / epochs) for one in passed]))
        if self.schedule == "step":
            return self.step_factor ** sum(round(epoch * steps_per_epoch) <= step for epoch in self.step_epochs)
        return 0.5 * (1.0 + float(np.cos(np.pi * (step - warmup) / max(1.0, total - warmup))))

    def momentum_at(self, step: int, steps_per_epoch: int, epochs: int) -> float | None:
        """Momentum at ``step``, counted from 0; None: the optimiser's own."""
        if self.cycled_momentum is None:
            return None
        low, high = self.cycled_momentum
        return self._cycle(step, epochs * steps_per_epoch, high, low, high)

    def _cycle(self, step: int, total: int, start: float, middle: float, end: float) -> float:
        """From ``start`` to ``middle``, then to ``end`` at the last of ``total`` steps, each along half a cosine."""
        top = self.one_cycle_rise * total - 1.0
        if step <= top and top > 0:
            return _along_cosine(start, middle, step / top)
        return _along_cosine(middle, end, (step - top) / max(1.0, total - 1.0 - top))


def _along_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + float(np.cos(np.pi * share)))


def _plateau_linear(share: float) -> float:
    """Factor after this share of the epochs, the current one counted in."""
    return 1.0 - min(max((share - 0.5) / 0.4, 0.0), 1.0) * 0.99
