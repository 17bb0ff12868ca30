"""Neural graphs hold every weight, know nothing of the order of hidden units, and compute what networks compute."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.data import Batch
from torch_geometric.nn import GINEConv, global_add_pool

import wslbench
from tests.architectures.cases import architecture
from tests.symmetry.networks import ARCHITECTURES
from wslbench import symmetry
from wslbench.architectures import Architecture
from wslbench.encodings import graphs
from wslbench.encodings.graph_topology import EDGE_KINDS, NODE_FEATURES, NODE_KINDS, _Builder, topology
from wslbench.errors import EncodingError
from wslbench.symmetry.derivation import followed
from wslbench.zoo import Models, Source
from wslbench.zoo.template import template

each_architecture = pytest.mark.parametrize("described", ARCHITECTURES.values(), ids=ARCHITECTURES)
HIDDEN, INPUT = NODE_KINDS.index("hidden"), NODE_KINDS.index("input")


def random_models(*described: Architecture, count: int = 3) -> Models:
    """``count`` networks of each architecture with random tensors, one architecture after the other."""
    random = np.random.default_rng(0)
    sources = []
    for number, each in enumerate(described):
        tensors = {
            name: np.abs(values) + 0.1 if name.endswith("running_var") else values
            for name, shape in template(each).stored.items()
            for values in [random.normal(size=(count, *shape)).astype(np.float32)]
        }
        sources.append(Source(f"{number}", each, lambda tensors=tensors: tensors))
    ids = np.array([f"m{number}" for number in range(count * len(described))], dtype=object)
    which = np.repeat(np.arange(len(described)), count)
    return Models(ids, sources, which, np.tile(np.arange(count), len(described)))


class Network(nn.Module):
    """A random message-passing network over everything that a graph says."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.nodes = nn.Linear(len(NODE_FEATURES) + 3, 16)
        self.convolutions = nn.ModuleList(
            GINEConv(nn.Sequential(nn.Linear(16, 16), nn.Tanh()), edge_dim=kernel + 1) for _ in range(3)
        )
        self.double()

    def forward(self, batch: Batch) -> torch.Tensor:
        said = torch.stack([batch.node_kind, batch.node_layer, batch.node_position], 1)
        hidden = torch.tanh(self.nodes(torch.cat([batch.x.double(), said.double()], 1)))
        edges = torch.cat([batch.edge_attr.double(), batch.edge_kind[:, None].double()], 1)
        for convolution in self.convolutions:
            hidden = convolution(hidden, batch.edge_index, edges)
        return global_add_pool(hidden, batch.batch)


@each_architecture
def test_every_number_is_in_the_graph_once_a_use(described: Architecture) -> None:
    models = random_models(described, count=2)
    found = graphs(models)
    used = described.builder == "gpt" and ["transformer.wte.weight"]  # read-out and embedding at once
    for row, model in enumerate(models):
        tensors = [*model.tensors().items()] + [(name, model.tensors()[name]) for name in used or []]
        expected = np.concatenate([tensor.ravel() for _, tensor in tensors])
        graph = found[row]
        weights = graph.edge_attr[graph.edge_kind == EDGE_KINDS.index("weight")]
        held = np.concatenate([weights.numpy().ravel(), graph.x.numpy().ravel()])
        held = held[(held != 0) & (held != 1)]
        np.testing.assert_array_equal(np.sort(held), np.sort(expected))


@each_architecture
def test_a_permuted_network_is_the_same_graph(described: Architecture) -> None:
    models = random_models(described)
    network = Network(graphs(models).edge_attr.shape[1])
    expected = network(graphs(models))
    permuted = symmetry.disguise(models, seed=1, scaling=False)
    torch.testing.assert_close(network(graphs(permuted)), expected, rtol=1e-9, atol=1e-9)
    # The comparison sees weights: another exchange, of what may not be exchanged, shows.
    stack = models.by_architecture()[0]
    tensors = {name: stack[name].copy() for name in template(described).stored}
    first = topology(described).edges[0].tensor
    tensors[first] = (
        np.random.default_rng(0).permuted(tensors[first].reshape(3, -1), axis=1).reshape(tensors[first].shape)
    )
    other = Models(models.ids, [Source("0", described, lambda: tensors)], np.zeros(3, int), np.arange(3))
    assert not torch.allclose(network(graphs(other)), expected, rtol=1e-6)


def test_a_perceptron_can_be_run_on_its_graph() -> None:
    described = architecture("mlp", in_features=3, hidden=[5, 4], out_features=2)
    models = random_models(described, count=1)
    graph = graphs(models)[0]
    inputs = described.example_input(6).double()
    values = torch.zeros(graph.num_nodes, 6, dtype=torch.float64)
    values[graph.node_kind == INPUT] = inputs.T[graph.node_position[graph.node_kind == INPUT]]
    bias = graph.x[:, NODE_FEATURES.index("bias")].double()[:, None]
    for layer in range(1, int(graph.node_layer.max()) + 1):
        here = graph.node_layer == layer
        source, target = graph.edge_index
        arriving = torch.zeros_like(values).index_add(0, target, graph.edge_attr.double() * values[source])
        before = (arriving + bias)[here]
        values[here] = before.tanh() if (graph.node_kind[here] == HIDDEN).all() else before
    outputs = values[graph.node_kind == NODE_KINDS.index("output")]
    torch.testing.assert_close(outputs.T, models[0].module().double()(inputs), rtol=1e-9, atol=1e-9)


def test_a_convolutional_network_by_hand() -> None:
    described = architecture("cnn", width=2, in_channels=3, image_size=8)
    models = random_models(described, count=1)
    graph, tensors = graphs(models)[0], models[0].tensors()
    layers = [torch.nonzero(graph.node_layer == layer)[:, 0].tolist() for layer in range(5)]
    assert [len(layer) for layer in layers] == [3, 2, 4, 4, 10]
    kernels = {
        (int(a), int(b)): kernel.numpy() for a, b, kernel in zip(*graph.edge_index, graph.edge_attr, strict=True)
    }
    assert len(kernels) == 3 * 2 + 2 * 4 + 4 * 4 + 4 * 10
    for number, name in enumerate(("conv1", "conv2", "conv3"), start=1):
        for out, target in enumerate(layers[number]):
            for into, source in enumerate(layers[number - 1]):
                np.testing.assert_array_equal(kernels[source, target], tensors[f"{name}.weight"][out, into].ravel())
            held = {feature: float(graph.x[target, column]) for column, feature in enumerate(NODE_FEATURES)}
            norm = f"bn{number}"
            assert held == {
                "bias": 0,
                "gain": tensors[f"{norm}.weight"][out],
                "shift": tensors[f"{norm}.bias"][out],
                "mean": tensors[f"{norm}.running_mean"][out],
                "variance": tensors[f"{norm}.running_var"][out],
            }
    for out, target in enumerate(layers[4]):
        for channel, source in enumerate(layers[3]):
            pixels = tensors["fc.weight"][out].reshape(4, 4)[channel]
            np.testing.assert_array_equal(kernels[source, target], [*pixels, 0, 0, 0, 0, 0])
        assert int(graph.node_position[target]) == out
        assert float(graph.x[target, 0]) == tensors["fc.bias"][out]
    assert graph.node_position[layers[0]].tolist() == [0, 1, 2]
    assert (graph.node_position[layers[1] + layers[2] + layers[3]] == -1).all()


def test_shortcuts_heads_and_positions_by_hand() -> None:
    resnet = topology(architecture("resnet18", width=2))
    assert (resnet.edge_kind == EDGE_KINDS.index("residual")).sum() == 2 * (2 + 4 + 8 + 16)
    vit = topology(architecture("vit", dim=8, depth=1, heads=2, image_size=8, patch_size=4))
    assert np.bincount(vit.node_kind, minlength=4)[NODE_KINDS.index("head")] == 2
    # Each of 2 heads holds 4 queries, 4 keys and 4 values.
    assert (vit.edge_kind == EDGE_KINDS.index("attention")).sum() == 24
    # Attention and the feed-forward layer are each added to a stream of 8 units.
    assert (vit.edge_kind == EDGE_KINDS.index("residual")).sum() == 16
    # 3 colours, a class token, and the positions of it and of 4 patches.
    assert np.bincount(vit.node_kind)[INPUT] == 3 + 1 + 5


def test_mixed_widths_and_builders_keep_their_order_in_one_batch() -> None:
    perceptron = architecture("mlp", in_features=2, hidden=[3], out_features=1)
    described = (architecture("cnn", width=2), architecture("cnn", width=3), perceptron)
    models = random_models(*described)[[4, 0, 8, 5, 1]]
    together = graphs(models)
    assert together.num_graphs == 5
    for row in range(5):
        alone = graphs(models[[row]], kernel=9)[0]
        for name in ("x", "edge_index", "edge_attr", "edge_kind", "node_kind", "node_layer", "node_position"):
            torch.testing.assert_close(together[row][name], alone[name])


def test_kernels_have_as_many_columns_as_asked_for() -> None:
    models = random_models(architecture("cnn", width=2))
    assert graphs(models, kernel=12).edge_attr.shape[1] == 12
    with pytest.raises(EncodingError, match="architecture '0' has kernels of 9 entries, but `kernel` is 4"):
        graphs(models, kernel=4)
    with pytest.raises(EncodingError, match="no models to encode"):
        graphs(models[:0])


def test_a_tensor_without_a_place_is_named() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Flatten(), nn.Linear(100, 2))
    flow, shapes = followed(net, torch.randn(2, 1, 9, 9))
    with pytest.raises(EncodingError, match=r"tensors 1\.weight, 1\.bias have no place in a neural graph"):
        _Builder(flow, shapes).build()


def test_names_that_load_torch_are_functions_whatever_was_imported_before() -> None:
    assert (wslbench.encodings.graphs, wslbench.encodings.topology) == (graphs, topology)
    with pytest.raises(AttributeError, match="no attribute 'graph'"):
        _ = wslbench.encodings.graph


def test_the_embedded_zoos_are_encoded_whole() -> None:
    for name in ("digits-cnn", "convection-pinn"):
        zoo = wslbench.load_zoo(name)
        models = zoo.models(zoo.table.query("measured").index)
        found = graphs(models)
        assert found.num_graphs == len(models)
        assert torch.isfinite(found.edge_attr).all()
