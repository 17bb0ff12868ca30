"""Models: selection, stacks, and networks as torch knows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tests.zoos import ARCHITECTURES, EPOCHS
from wslbench.errors import ZooError, ZooFormatError
from wslbench.zoo import Models, Source, load_zoo


@pytest.fixture
def models(built_tiny_zoo: Path) -> Models:
    return load_zoo(built_tiny_zoo).models()


def weights_from_disk(zoo: Path, shard: str, row: int, name: str) -> np.ndarray:
    """The independent way: the safetensors library and the row of the table."""
    return load_file(zoo / shard)[name][row]


def test_every_model_has_the_weights_of_its_table_row(built_tiny_zoo: Path) -> None:
    zoo = load_zoo(built_tiny_zoo)
    shuffled = zoo.table.sample(frac=1, random_state=0)
    for model, (model_id, row) in zip(zoo.models(shuffled.index), shuffled.iterrows(), strict=True):
        assert model.id == model_id
        expected = weights_from_disk(built_tiny_zoo, row["shard"], row["row"], "conv2.weight")
        np.testing.assert_array_equal(model.tensors()["conv2.weight"], expected)
        assert model.architecture == ARCHITECTURES[row["architecture"]]


def test_selecting_reads_no_weights(tiny_zoo: Path) -> None:
    zoo = load_zoo(tiny_zoo)
    for shard in tiny_zoo.rglob("*.safetensors"):
        shard.unlink()
    assert len(zoo.models(zoo.table.index)[::2]) == 30


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (slice(2, 9, 3), [2, 5, 8]),
        (slice(None, None, -1), list(range(59, -1, -1))),
        ([3, 1, 1, -1], [3, 1, 1, 59]),
        (np.array([5, 4]), [5, 4]),
        (np.arange(60) % 20 == 0, [0, 20, 40]),
        ([index == 7 for index in range(60)], [7]),
        ([], []),
    ],
)
def test_selection_follows_numpy(models: Models, key: object, expected: list[int]) -> None:
    chosen = models[key]
    assert isinstance(chosen, Models)
    assert chosen.ids.tolist() == [models.ids[index] for index in expected]
    assert [model.id for model in chosen] == chosen.ids.tolist()


@pytest.mark.parametrize("max_bytes", [1, 1000, 10**9])
def test_blocks_put_together_are_the_tensor(models: Models, max_bytes: int) -> None:
    shuffled = models[np.random.default_rng(0).permutation(60)]
    for stack in shuffled.by_architecture():  # each from two shards
        for name in ("conv2.weight", "fc.bias"):
            blocks = list(stack.blocks(name, max_bytes))
            np.testing.assert_array_equal(np.concatenate(blocks), stack[name])
            one = stack[name][:1].nbytes
            assert max(block.nbytes for block in blocks) <= max(one, max_bytes)
            assert len(blocks) == {1: len(stack), 10**9: 1}.get(max_bytes, len(blocks))


def test_integers_give_single_models(models: Models) -> None:
    assert models[-1].id == models[np.int64(59)].id == models.ids[-1]
    with pytest.raises(IndexError):
        models[60]


@pytest.mark.parametrize("key", ["abc", 1.5, ["a"], np.zeros((2, 2), int), None, [1.0]])
def test_other_keys_are_refused(models: Models, key: object) -> None:
    with pytest.raises(TypeError, match="indexed by an integer"):
        models[key]


def test_a_mask_of_the_wrong_length_is_refused(models: Models) -> None:
    with pytest.raises(IndexError):
        models[np.ones(5, bool)]


def test_ids_are_opaque_strings_that_cannot_be_written_back(models: Models) -> None:
    ids = models.ids
    ids[0] = "changed"
    assert models.ids[0] != "changed"
    assert models.ids.dtype == object
    assert all(len(text) == 16 for text in models.ids)


def test_an_unknown_id_is_named(built_tiny_zoo: Path) -> None:
    with pytest.raises(ZooError, match="no checkpoint with model_id 'nonsense'"):
        load_zoo(built_tiny_zoo).models(["nonsense"])


def test_stacks_partition_the_models_and_keep_their_order(models: Models) -> None:
    shuffled = models[np.random.default_rng(1).permutation(60)]
    stacks = shuffled.by_architecture()
    assert sorted(np.concatenate([stack.positions for stack in stacks]).tolist()) == list(range(60))
    for stack in stacks:
        for name in stack.keys():  # noqa: SIM118 - a Stack is no mapping
            values = stack[name]
            assert values.shape == (len(stack), *stack.shape(name))
            for row, position in enumerate(stack.positions):
                np.testing.assert_array_equal(values[row], shuffled[int(position)].tensors()[name])


def test_a_whole_shard_in_order_is_a_view_and_anything_else_is_not(built_tiny_zoo: Path) -> None:
    zoo = load_zoo(built_tiny_zoo)
    whole = zoo.models(zoo.table.query(f"epoch == {EPOCHS[1]} and architecture == 'w2'").index)
    (stack,) = whole.by_architecture()
    (again,) = whole.by_architecture()
    (backwards,) = whole[::-1].by_architecture()
    assert np.shares_memory(stack["fc.weight"], again["fc.weight"])
    assert not np.shares_memory(stack["fc.weight"], backwards["fc.weight"])
    np.testing.assert_array_equal(stack["fc.weight"][::-1], backwards["fc.weight"])


def test_stacked_arrays_are_read_only_whether_view_or_copy(models: Models) -> None:
    for selection in (models, models[::-1], models[[0]]):
        for stack in selection.by_architecture():
            with pytest.raises(ValueError, match="read-only"):
                stack["fc.weight"][0] = 0


def test_an_unknown_tensor_is_a_key_error(models: Models) -> None:
    for selection in (models, models[:3]):
        with pytest.raises(KeyError):
            selection.by_architecture()[0]["no.such"]


def test_no_models_make_no_stacks(models: Models) -> None:
    assert models[:0].by_architecture() == []


def test_state_dict_has_the_keys_of_torch_and_fresh_counters(models: Models) -> None:
    model = models[4]
    state = model.state_dict()
    expected = model.architecture.module().state_dict()
    assert list(state) == list(expected)
    assert {name: tensor.dtype for name, tensor in state.items()} == {
        name: tensor.dtype for name, tensor in expected.items()
    }
    assert state["bn1.num_batches_tracked"] == torch.tensor(0)
    state["fc.bias"][:] = 99
    assert not (model.state_dict()["fc.bias"] == 99).any()


def test_module_computes_with_the_stored_weights(models: Models) -> None:
    model = models[4]
    network = model.module()
    assert not network.training
    images = torch.randn(3, 1, 8, 8)
    tensors = {name: torch.from_numpy(tensor.copy()) for name, tensor in model.tensors().items()}
    by_hand = torch.func.functional_call(model.architecture.module().eval(), tensors, (images,))
    torch.testing.assert_close(network(images), by_hand)


def test_building_a_network_leaves_the_random_state_alone(models: Models) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    models[0].module()
    models[0].state_dict()
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


def test_weights_of_another_shape_than_the_architecture_are_named(models: Models) -> None:
    wrong = {name: tensor[None] for name, tensor in models[0].tensors().items()}
    wrong["fc.bias"] = np.zeros((1, 3), np.float32)
    source = Source("w2", models[0].architecture, lambda: wrong)
    alone = Models(np.array(["x"], object), [source], np.zeros(1, np.intp), np.zeros(1, np.intp))
    with pytest.raises(ZooFormatError, match=r"'fc.bias' of architecture 'w2' should have the shape \(10,\)"):
        alone[0].state_dict()
