"""Tokens lose nothing, keep units apart, and know no model but their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import wslbench
from tests.encodings.test_graphs import random_models
from tests.symmetry.networks import ARCHITECTURES
from wslbench import symmetry
from wslbench.architectures import Architecture
from wslbench.encodings import TokenScale, from_tokens, tokens
from wslbench.encodings.weight_tokens import layers_of
from wslbench.errors import EncodingError
from wslbench.zoo import Models

each_architecture = pytest.mark.parametrize("described", ARCHITECTURES.values(), ids=ARCHITECTURES)


def cnn(width: int) -> Architecture:
    return Architecture(builder="cnn", arguments={"width": width})


def stored(models: Models, row: int) -> dict[str, np.ndarray]:
    return models[row].tensors()


@each_architecture
@pytest.mark.parametrize("size", [1, 7, 32])
def test_the_way_back_is_exact(described: Architecture, size: int) -> None:
    models = random_models(described)
    batch = tokens(models, size=size)
    assert batch.mask.sum() == sum(tensor.size for row in range(3) for tensor in stored(models, row).values())
    for row in range(3):
        found = batch.state_dict(row)
        assert list(found) == list(stored(models, row))
        for name, tensor in stored(models, row).items():
            assert found[name].dtype == np.float32
            assert np.array_equal(found[name], tensor)


@each_architecture
def test_the_way_back_through_a_scale_is_exact_to_floating_point(described: Architecture) -> None:
    models = random_models(described)
    scale = TokenScale.fit(models)
    stacked = from_tokens(tokens(models, scale=scale).values, described, scale)
    for name, tensor in models.by_architecture()[0]._sources[0].tensors.items():
        np.testing.assert_allclose(stacked[name], tensor, rtol=1e-6, atol=1e-6)


def test_real_networks_compute_the_same_after_the_way_there_and_back() -> None:
    zoo = wslbench.load_zoo("digits-cnn")
    models = zoo.models(zoo.table.query("measured and width in [3, 8]").index[::40])
    scale = TokenScale.fit(models)
    batch = tokens(models, scale=scale)
    images = torch.randn(16, 1, 8, 8)
    for row, model in enumerate(models):
        network = model.module()
        before = network(images)
        state = {name: torch.from_numpy(tensor) for name, tensor in batch.state_dict(row, scale).items()}
        network.load_state_dict(model.state_dict() | state)
        torch.testing.assert_close(network(images), before, rtol=1e-4, atol=1e-4)


def test_a_row_is_a_unit_with_its_bias_and_its_norm() -> None:
    layers = layers_of(cnn(4))
    assert layers[0].tensors[0].endswith("weight")
    assert layers[0].rows == 4
    assert any(name.endswith("running_var") for name in layers[0].tensors)
    assert layers[0].columns == 9 + len(layers[0].tensors) - 1
    described = Architecture(builder="mlp", arguments={"in_features": 3, "hidden": [5], "out_features": 2})
    assert [(layer.rows, layer.columns) for layer in layers_of(described)] == [(5, 4), (2, 6)]


def test_tokens_by_hand() -> None:
    described = Architecture(builder="mlp", arguments={"in_features": 3, "hidden": [2], "out_features": 1})
    models = random_models(described, count=1)
    first, bias, second, last = stored(models, 0).values()
    batch = tokens(models, size=3)
    expected = [
        [*first[0]],
        [bias[0], 0, 0],
        [*first[1]],
        [bias[1], 0, 0],
        [*second[0], last[0]],
    ]
    assert np.array_equal(batch.values[0], np.array(expected, np.float32))
    assert np.array_equal(batch.mask[0].sum(1), [3, 1, 3, 1, 3])
    assert batch.positions[0].tolist() == [[0, 0, 0], [1, 0, 1], [2, 0, 2], [3, 0, 3], [4, 1, 0]]


def test_widths_stand_side_by_side_and_padding_is_marked() -> None:
    models = random_models(cnn(2), cnn(5), count=2)
    mixed = models[[3, 0, 2, 1]]
    batch = tokens(mixed)
    assert [a.arguments["width"] for a in batch.architectures] == [5, 2, 5, 2]
    for row in range(4):
        alone = tokens(mixed[row : row + 1])
        length = alone.values.shape[1]
        assert np.array_equal(batch.values[row, :length], alone.values[0])
        assert np.array_equal(batch.positions[row, :length], alone.positions[0])
        assert not batch.mask[row, length:].any()
        assert (batch.values[row, length:] == 0).all()
        assert (batch.positions[row, length:] == -1).all()
        assert all(np.array_equal(batch.state_dict(row)[name], tensor) for name, tensor in stored(mixed, row).items())


def test_permuting_the_units_of_the_first_layer_permutes_its_tokens() -> None:
    models = random_models(cnn(6), count=4)
    moved = symmetry.disguise(models, 3, scaling=False)
    size = 9 + len(layers_of(cnn(6))[0].tensors) - 1
    one, other = (np.sort(tokens(each, size=size).values[:, :6], axis=1) for each in (models, moved))
    assert np.array_equal(one, other)
    assert not np.array_equal(tokens(models).values, tokens(moved).values)


def test_the_scale_is_that_of_the_models_it_was_fitted_on() -> None:
    models = random_models(cnn(3), cnn(4), count=5)
    scale = TokenScale.fit(models)
    name = layers_of(cnn(3))[0].tensors[0]
    entries = np.concatenate([stored(models, row)[name].ravel() for row in range(10)])
    assert scale.of(name) == pytest.approx((entries.mean(), entries.std()), rel=1e-5)
    values = tokens(models[:5], scale=TokenScale.fit(models[:5])).values
    assert np.array_equal(values[:2], tokens(models[:2], scale=TokenScale.fit(models[:5])).values)


def test_constant_infinite_and_missing_numbers_have_a_scale() -> None:
    models = random_models(cnn(3), count=3)
    for tensor, value in zip(
        models.by_architecture()[0]._sources[0].tensors.values(), (2.5, np.inf, np.nan), strict=False
    ):
        tensor[:] = value
    scale = TokenScale.fit(models)
    found = [scale.of(name) for name in list(scale.tensors)[:3]]
    assert found[0] == (2.5, 1.0)
    assert found[1] == found[2] == (0.0, 1.0)
    assert np.isfinite(list(scale.tensors.values())).all()


def test_what_cannot_be_done_is_said() -> None:
    models = random_models(cnn(3), count=1)
    with pytest.raises(EncodingError, match="no models"):
        tokens(models[:0])
    with pytest.raises(EncodingError, match="no models"):
        TokenScale.fit(models[:0])
    with pytest.raises(EncodingError, match="at least 1"):
        tokens(models, size=0)
    perceptron = Architecture(builder="mlp", arguments={"in_features": 3, "hidden": [2], "out_features": 1})
    with pytest.raises(EncodingError, match="has a tensor"):
        tokens(random_models(perceptron), scale=TokenScale.fit(models))
    with pytest.raises(EncodingError, match=r"cannot be made of 3"):
        from_tokens(np.zeros((1, 3, 32)), cnn(3))
    with pytest.raises(EncodingError, match="three axes"):
        from_tokens(np.zeros((3, 32)), cnn(3))
