"""The network of the digits zoos: names and shapes that an embedded zoo relies on."""

from __future__ import annotations

from tests.architectures.cases import architecture


def test_names_and_shapes_are_those_of_the_embedded_zoo() -> None:
    state = architecture("cnn", width=3).module().state_dict()
    norms = {
        f"bn{layer}.{name}": shape
        for layer, channels in ((1, 3), (2, 6), (3, 6))
        for name, shape in {
            "weight": (channels,),
            "bias": (channels,),
            "running_mean": (channels,),
            "running_var": (channels,),
            "num_batches_tracked": (),
        }.items()
    }
    layers = {
        "conv1.weight": (3, 1, 3, 3),
        "conv2.weight": (6, 3, 3, 3),
        "conv3.weight": (6, 6, 3, 3),
        "fc.weight": (10, 24),
        "fc.bias": (10,),
    }
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == norms | layers
