"""Symmetries of networks that wslbench does not build, and of those that have none that it knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from wslbench.errors import ArchitectureError
from wslbench.symmetry import derive


class Net(nn.Module):
    """A network by its forward function; tensors become buffers."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor], **parts: nn.Module | Tensor) -> None:
        super().__init__()
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)
        self._forward = forward

    def forward(self, inputs: Tensor) -> Tensor:
        return self._forward(self, inputs)


def sizes(module: nn.Module, *shape: int) -> dict[str, tuple[int, ...]]:
    group = derive(module, torch.randn(2, *shape))
    return {orbit.name: orbit.units.shape for orbit in group.orbits}


def test_gates_tie_what_they_multiply() -> None:
    net = Net(
        lambda s, x: s.b(functional.silu(s.a(x)) * s.c(x)), a=nn.Linear(3, 5), b=nn.Linear(5, 2), c=nn.Linear(3, 5)
    )
    assert sizes(net, 3) == {"a": (1, 5)}


def test_one_layer_may_feed_two_kinds_of_units() -> None:
    def forward(s: Any, inputs: Tensor) -> Tensor:
        rectified, squashed = s.a(inputs).chunk(2, -1)
        return s.b(torch.cat([functional.relu(rectified), torch.tanh(squashed)], -1))

    group = derive(Net(forward, a=nn.Linear(3, 10), b=nn.Linear(10, 2)), torch.randn(2, 3))
    assert [orbit.units.shape for orbit in group.orbits] == [(1, 5), (1, 5)]
    assert (group.magnitude_free.sum(), group.sign_free.sum()) == (5, 5)


def test_a_shortcut_gives_its_ends_one_order() -> None:
    def forward(s: Any, inputs: Tensor) -> Tensor:
        hidden = s.i(inputs)
        return s.o(hidden + s.b(functional.relu(s.a(hidden))))

    net = Net(forward, i=nn.Linear(3, 4), a=nn.Linear(4, 6), b=nn.Linear(6, 4), o=nn.Linear(4, 2))
    assert sizes(net, 3) == {"i": (1, 4), "a": (1, 6)}


def test_constants_that_differ_between_units_leave_no_symmetry() -> None:
    net = Net(lambda s, x: s.o(functional.relu(s.a(x) + s.p)), a=nn.Linear(3, 6), o=nn.Linear(6, 2), p=torch.randn(6))
    assert sizes(net, 3) == {}
    # The same numbers as a parameter move with the units.
    net = Net(
        lambda s, x: s.o(functional.relu(s.a(x) + s.p)),
        a=nn.Linear(3, 6),
        o=nn.Linear(6, 2),
        p=nn.Parameter(torch.randn(6)),
    )
    assert sizes(net, 3) == {"a": (1, 6)}


def test_depthwise_convolutions_and_batch_norms_without_gain() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4, affine=False), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip
    assert sizes(net, 1, 9, 9) == {"0": (1, 4)}


def test_torchs_own_transformer_layer() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    found = sizes(nn.Sequential(nn.Linear(3, 8), layer, nn.Linear(8, 2)), 5, 3)
    assert found["0"] == (1, 8)
    assert found["1.linear1"] == (1, 16)


def test_outputs_never_move() -> None:
    assert sizes(nn.Linear(3, 4), 3) == {}
    assert derive(nn.Linear(3, 4), torch.randn(2, 3)).scales == 0


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        pytest.param(
            Net(lambda s, x: s.o(torch.cumsum(s.a(x), -1)), a=nn.Linear(3, 4), o=nn.Linear(4, 2)),
            (3,),
            r"no rule for the operation 'cumsum' \(step 'cumsum', in the network itself\).*with a rule: .*conv2d",
            id="unknown operation",
        ),
        pytest.param(
            nn.Sequential(nn.Linear(3, 4), nn.PReLU(4), nn.Linear(4, 2)),
            (3,),
            r"no rule for the operation 'prelu' \(step 'prelu', in 1\)",
            id="unknown layer, by its name",
        ),
        pytest.param(
            Net(lambda s, x: s.a(x) if x.sum() > 0 else x, a=nn.Linear(3, 3)),
            (3,),
            r"Net cannot be traced on an input of shape \(2, 3\).*must not depend on the values of its input",
            id="course depends on the input",
        ),
        pytest.param(nn.Linear(3, 4), (5,), r"Linear cannot be traced on an input of shape \(2, 5\)", id="wrong input"),
        pytest.param(
            nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 2)),
            (3,),
            r"normalises by the batch it sees.*keep running statistics",
            id="batch-dependent",
        ),
        pytest.param(
            nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 3, groups=2)),
            (1, 9, 9),
            "of grouped convolutions, only depthwise ones have a rule",
            id="grouped convolution",
        ),
        pytest.param(
            Net(lambda s, x: functional.linear(s.a(x), s.a.weight.t()), a=nn.Linear(3, 6)),
            (3,),
            "a weight that is computed from others has no known symmetries",
            id="computed weight",
        ),
    ],
)
def test_what_cannot_be_derived_says_why(module: nn.Module, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ArchitectureError, match=message):
        derive(module, torch.randn(2, *shape))


def test_a_wrong_rule_is_caught_on_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    from wslbench.symmetry import rules

    monkeypatch.setitem(rules.RULES, "gelu", rules.RULES["relu"])  # a GELU does not commute with scales
    net = nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 2))
    with pytest.raises(ArchitectureError, match="the symmetries derived for Sequential do not hold"):
        derive(net, torch.randn(2, 3))
    assert derive(net, torch.randn(2, 3), verify=False).scales == 5
