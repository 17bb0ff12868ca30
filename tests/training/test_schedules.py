"""Schedules against torch.optim.lr_scheduler over whole runs."""

import pytest
import torch
from pydantic import ValidationError

from wslbench.training.schedules import Schedule

STEPS, EPOCHS = 7, 12


def torch_run(make_scheduler, steps, optimiser=None):
    """Learning rate (peak 1) and momentum at every step of a run."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0, momentum=0.5) if optimiser is None else optimiser([weight])
    scheduler = make_scheduler(optimiser)
    seen = []
    for step in range(steps):
        group = optimiser.param_groups[0]
        seen.append((group["lr"], group["betas"][0] if "betas" in group else group["momentum"]))
        optimiser.step()
        if step + 1 < steps:
            scheduler.step()
    return [rate for rate, _ in seen], [momentum for _, momentum in seen]


def rates(schedule, steps_per_epoch=STEPS, epochs=EPOCHS):
    return [schedule.rate_factor(step, steps_per_epoch, epochs) for step in range(steps_per_epoch * epochs)]


def momenta(schedule, steps_per_epoch=STEPS, epochs=EPOCHS):
    return [schedule.momentum_at(step, steps_per_epoch, epochs) for step in range(steps_per_epoch * epochs)]


@pytest.mark.parametrize(("rise", "start", "end"), [(0.3, 25.0, 1e4), (0.5, 10.0, 100.0), (0.05, 4.0, 1.0)])
@pytest.mark.parametrize("optimiser", [None, lambda w: torch.optim.Adam(w, lr=1.0)])
def test_one_cycle_is_torchs(rise, start, end, optimiser):
    schedule = Schedule(
        schedule="one_cycle",
        one_cycle_rise=rise,
        one_cycle_start=start,
        one_cycle_end=end,
        cycled_momentum=(0.85, 0.95),
    )
    expected_rates, expected_momenta = torch_run(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o, 1.0, total_steps=STEPS * EPOCHS, pct_start=rise, div_factor=start, final_div_factor=end
        ),
        STEPS * EPOCHS,
        optimiser,
    )
    assert rates(schedule) == pytest.approx(expected_rates, rel=1e-12)
    assert momenta(schedule) == pytest.approx(expected_momenta, rel=1e-12)


def test_one_cycle_by_default_is_torchs_and_leaves_the_momentum_alone():
    expected, _ = torch_run(
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 1.0, total_steps=STEPS * EPOCHS, cycle_momentum=False),
        STEPS * EPOCHS,
    )
    schedule = Schedule(schedule="one_cycle")
    assert rates(schedule) == pytest.approx(expected, rel=1e-12)
    assert set(momenta(schedule)) == {None}
    # Where the rise ends and the fall begins, and where the run ends.
    assert max(rates(schedule, 10, 10)) == rates(schedule, 10, 10)[29] == 1.0
    assert rates(schedule)[-1] == pytest.approx(1 / 25 / 1e4)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 10])
def test_one_cycle_of_very_few_steps_stays_in_its_bounds(steps):
    factors = rates(Schedule(schedule="one_cycle", one_cycle_rise=0.1), 1, steps)
    assert all(1 / 25 / 1e4 * 0.999 <= factor <= 1 for factor in factors)


def test_cosine_is_torchs_annealing_stepped_every_batch():
    expected, momentum = torch_run(
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=STEPS * EPOCHS), STEPS * EPOCHS
    )
    assert rates(Schedule(schedule="cosine")) == pytest.approx(expected, abs=1e-12)
    assert set(momentum) == {0.5}


def test_warm_up_then_cosine_is_torchs_sequence():
    warmup = 2 * STEPS

    def sequence(optimiser):
        lr = torch.optim.lr_scheduler
        rising = lr.LinearLR(optimiser, start_factor=1 / warmup, total_iters=warmup - 1)
        return lr.SequentialLR(optimiser, [rising, lr.CosineAnnealingLR(optimiser, STEPS * EPOCHS - warmup)], [warmup])

    expected, _ = torch_run(sequence, STEPS * EPOCHS)
    assert rates(Schedule(schedule="cosine", warmup_epochs=2)) == pytest.approx(expected, abs=1e-12)


def test_steps_are_torchs_milestones():
    expected, _ = torch_run(
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [4 * STEPS, 9 * STEPS + 2], gamma=0.2), STEPS * EPOCHS
    )
    schedule = Schedule(schedule="step", step_epochs=[4, 9 + 2 / STEPS], step_factor=0.2)
    assert rates(schedule) == pytest.approx(expected, rel=1e-12)


def test_constant_after_a_warm_up_by_hand():
    assert rates(Schedule(warmup_epochs=1.5), 2, 3) == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1])
    assert rates(Schedule(), 2, 3) == [1.0] * 6
    assert rates(Schedule(schedule="step", step_epochs=[2], warmup_epochs=1), 2, 3) == [0.5, 1, 1, 1, 0.1, 0.1]


def test_a_longer_constant_run_begins_as_the_shorter_one():
    schedule = Schedule(warmup_epochs=2)
    assert rates(schedule, epochs=2 * EPOCHS)[: STEPS * EPOCHS] == rates(schedule)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"schedule": "one_cycle", "warmup_epochs": 1}, "one_cycle_rise"),
        ({"schedule": "cosine", "cycled_momentum": (0.8, 0.9)}, "one_cycle only"),
        ({"schedule": "one_cycle", "cycled_momentum": (0.9, 0.8)}, "low <= high"),
        ({"schedule": "one_cycle", "cycled_momentum": (0.9, 1.0)}, "low <= high"),
        ({"schedule": "one_cycle", "one_cycle_rise": 0}, "one_cycle_rise"),
        ({"schedule": "one_cycle", "one_cycle_start": 0.5}, "one_cycle_start"),
        ({"schedule": "step"}, "at least one epoch"),
        ({"step_epochs": [3]}, "take none"),
        ({"schedule": "step", "step_epochs": [3, 2]}, "ascend"),
        ({"schedule": "step", "step_epochs": [3, 3]}, "ascend"),
        ({"schedule": "step", "step_epochs": [1, 3], "warmup_epochs": 1}, "after the warm-up"),
        ({"schedule": "step", "step_epochs": [0]}, "after the warm-up"),
        ({"warmup_epochs": -1}, "warmup_epochs"),
        ({"schedule": "exponential"}, "one_cycle"),
        ({"gamma": 0.1}, "gamma"),
    ],
)
def test_what_contradicts_itself_is_refused(fields, told):
    with pytest.raises(ValidationError, match=told):
        Schedule(**fields)


def test_a_schedule_survives_being_written_down():
    schedule = Schedule(schedule="one_cycle", cycled_momentum=(0.85, 0.95))
    assert Schedule.model_validate_json(schedule.model_dump_json()) == schedule
