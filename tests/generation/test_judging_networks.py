"""Quality and phase of real networks, and of those that are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import wslbench
from wslbench import symmetry
from wslbench.annotation.options import options_of
from wslbench.generation import originality, phase_of_draw, quality, weight_distance
from wslbench.generation.quality import predicted_classes, with_statistics
from wslbench.landscape import PhaseCutoffs
from wslbench.training import ModelStack


@pytest.fixture(scope="module")
def zoo():
    return wslbench.load_zoo("digits-cnn")


@pytest.fixture(scope="module")
def cell(zoo):
    """The five seeds of one cold cell of narrow networks, as a stack, with the data that they saw."""
    rows = zoo.table.query("measured and width == 2 and learning_rate == 0.02").sort_values("seed")
    return stack_of(zoo, rows), rows, options_of(zoo).training_data(zoo.name).objective(architecture(zoo, rows))


@pytest.fixture(scope="module")
def judged(cell):
    stack, _, objective = cell
    return quality(stack, objective, "test")


def architecture(zoo, rows):
    return zoo.card.architectures[rows["architecture"].iloc[0]]


def stack_of(zoo, rows):
    (tensors,) = zoo.models(rows.index).by_architecture()
    return ModelStack.from_tensors(
        architecture(zoo, rows),
        {name: torch.tensor(tensors[name]) for name in tensors.keys()},  # noqa: SIM118
    )


def test_accuracy_at_once_is_the_stored_one(cell, judged):
    _, rows, objective = cell
    np.testing.assert_allclose(judged.accuracy, rows["test_accuracy"], atol=1e-6)
    assert judged.classes.shape == (5, len(objective.test_labels))
    assert set(judged.finetuned) == {1, 5}


def test_a_network_has_the_same_numbers_in_other_company(cell, judged):
    stack, _, objective = cell
    found = quality(stack.select([0, 1]), objective, "test")
    assert np.array_equal(found.classes, judged.classes[:2])
    for epoch in (1, 5):
        np.testing.assert_allclose(found.finetuned[epoch], judged.finetuned[epoch][:2], atol=1e-9)


def test_statistics_that_come_with_a_draw_do_not_matter(cell, judged):
    stack, _, objective = cell
    spoilt = {name: torch.full_like(tensor, 9.0) for name, tensor in stack.statistics.items()}
    found = with_statistics(ModelStack(stack.architecture, stack.parameters, spoilt), objective)
    assert np.array_equal(predicted_classes(found, objective), judged.classes)


def test_random_networks_learn_in_fine_tuning(cell):
    stack, _, objective = cell
    found = quality(ModelStack.initialise(stack.architecture, range(4)), objective, "test")
    assert found.accuracy.mean() < 0.3
    assert found.accuracy.mean() < found.finetuned[1].mean() < found.finetuned[5].mean()


def test_a_network_that_diverges_is_wrong_not_an_error(cell, judged):
    stack, _, objective = cell
    parameters = {name: tensor.clone() for name, tensor in stack.parameters.items()}
    for tensor in parameters.values():
        tensor[1] *= 1e18
    found = quality(ModelStack(stack.architecture, parameters, stack.statistics), objective, "test")
    assert found.accuracy[1] < 0.5
    assert np.isfinite(np.stack(list(found.finetuned.values()))).all()
    np.testing.assert_allclose(found.accuracy[2:], judged.accuracy[2:], atol=1e-6)


@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")  # five seeds make two disjoint pairs
def test_the_phase_of_a_cells_own_seeds_is_the_cells(zoo, cell):
    stack, rows, objective = cell
    cutoffs = PhaseCutoffs.model_validate(zoo.card.phase_rule["cutoffs"])
    found = phase_of_draw(stack, objective, options_of(zoo).curve, cutoffs, "test")
    assert found.phase == rows["phase"].iloc[0]
    assert found.train_loss == pytest.approx(rows["train_loss"].mean(), rel=1e-5)
    assert found.probability[found.phase] > 0.9
    assert found.fidelity(found.phase, diversity=1.0) == found.probability[found.phase]
    assert found.fidelity(found.phase, diversity=0.4) == 0
    assert found.fidelity("IV-B", diversity=1.0) < 0.1


def test_disguised_copies_have_no_novelty_and_no_distance(zoo, cell):
    stack, rows, objective = cell
    (moved,) = symmetry.disguise(zoo.models(rows.index), 7).by_architecture()
    copies = ModelStack.from_tensors(
        stack.architecture,
        {name: torch.tensor(moved[name]) for name in moved.keys()},  # noqa: SIM118
    )
    classes = predicted_classes(with_statistics(copies, objective), objective)
    train = predicted_classes(stack, objective)
    found = originality(classes, train[:3], train[3:])
    assert (found.novelty[:3] == 0).all()
    assert (found.novelty[3:] > 0).all()
    copies = with_statistics(copies, objective)
    apart = [(copies.parameters[n] - stack.parameters[n]).flatten(1).norm(dim=1) for n in stack.parameters]
    assert torch.stack(apart).amax(0).min() > 0.1
    np.testing.assert_allclose(weight_distance(copies, stack), 0, atol=1e-4)
    assert (weight_distance(copies.select([1, 2, 3, 4, 0]), stack) > 0.3).all()
    broken = {name: torch.where(torch.arange(5).view(-1, *[1] * (t.ndim - 1)) == 2, torch.nan, t)
              for name, t in stack.parameters.items()}  # fmt: skip
    found = weight_distance(ModelStack(stack.architecture, broken, stack.statistics), stack)
    assert np.isnan(found[2])
    np.testing.assert_allclose(np.delete(found, 2), 0, atol=1e-4)
