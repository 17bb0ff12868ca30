"""Quality and phase of real networks, and of those that are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import wslbench
from wslbench.annotation.options import options_of
from wslbench.generation import originality, phase_of_draw, quality
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


def architecture(zoo, rows):
    return zoo.card.architectures[rows["architecture"].iloc[0]]


def stack_of(zoo, rows):
    (tensors,) = zoo.models(rows.index).by_architecture()
    return ModelStack.from_tensors(
        architecture(zoo, rows),
        {name: torch.tensor(tensors[name]) for name in tensors.keys()},  # noqa: SIM118
    )


def test_accuracy_at_once_is_the_stored_one(cell):
    stack, rows, objective = cell
    found = quality(stack, objective, "test")
    np.testing.assert_allclose(found.accuracy, rows["test_accuracy"], atol=1e-6)
    assert found.classes.shape == (5, len(objective.test_labels))
    assert set(found.finetuned) == {1, 5}
    again = quality(stack, objective, "test")
    assert all(np.array_equal(found.finetuned[epoch], again.finetuned[epoch]) for epoch in (1, 5))


def test_statistics_that_come_with_a_draw_do_not_matter(cell):
    stack, _, objective = cell
    spoilt = ModelStack(
        stack.architecture, stack.parameters, {n: torch.full_like(t, 9.0) for n, t in stack.statistics.items()}
    )
    one, other = (quality(each, objective, "test") for each in (stack, spoilt))
    assert np.array_equal(one.classes, other.classes)


def test_random_networks_learn_in_fine_tuning(cell):
    stack, _, objective = cell
    found = quality(ModelStack.initialise(stack.architecture, range(4)), objective, "test")
    assert found.accuracy.mean() < 0.3
    assert found.accuracy.mean() < found.finetuned[1].mean() < found.finetuned[5].mean()


def test_a_network_that_diverges_is_wrong_not_an_error(cell):
    stack, _, objective = cell
    parameters = {name: tensor.clone() for name, tensor in stack.parameters.items()}
    for tensor in parameters.values():
        tensor[1] *= 1e18
    found = quality(ModelStack(stack.architecture, parameters, stack.statistics), objective, "test")
    assert found.accuracy[1] < 0.5
    assert np.isfinite(np.stack(list(found.finetuned.values()))).all()
    np.testing.assert_allclose(found.accuracy[2:], quality(stack, objective, "test").accuracy[2:], atol=1e-6)


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


def test_disguised_copies_have_no_novelty(zoo, cell):
    from wslbench import symmetry

    stack, rows, objective = cell
    models = zoo.models(rows.index)
    (moved,) = symmetry.disguise(models, 7).by_architecture()
    tensors = {name: torch.tensor(moved[name]) for name in moved.keys()}  # noqa: SIM118
    copies = quality(ModelStack.from_tensors(stack.architecture, tensors), objective, "test").classes
    train = quality(stack, objective, "test").classes
    found = originality(copies, train[:3], train[3:])
    assert (found.novelty[:3] == 0).all()
    assert (found.novelty[3:] > 0).all()
