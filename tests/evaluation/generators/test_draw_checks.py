"""A draw is taken at its word by nobody: names, shapes, number, finiteness."""

from __future__ import annotations

import numpy as np
import pytest

from wslbench.errors import ResultError
from wslbench.evaluation.child import stacked
from wslbench.evaluation.generators.draw_checks import draw_flaw
from wslbench.evaluation.generators.networks_table import decoded, encoded

SHAPES = {"a.weight": (2, 3), "a.bias": (2,)}


def draw(count: int = 4) -> dict[str, np.ndarray]:
    return {name: np.ones((count, *shape), np.float32) for name, shape in SHAPES.items()}


def test_a_sound_draw_has_no_flaw() -> None:
    assert draw_flaw(draw(), SHAPES, 4) is None


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"a.bias": None}, "wrong_draw", "lack a.bias"),
        ({"b": np.ones(4)}, "wrong_draw", "hold b, which"),
        ({"a.bias": np.ones((4, 3))}, "wrong_draw", r"a.bias came as \[4, 3\] instead of \[4, 2\]"),
        ({"a.bias": np.ones((3, 2))}, "wrong_draw", "asked for 4 networks and returned 3"),
        ({"a.bias": np.ones((5, 2))}, "wrong_draw", "returned at least 5"),
        ({"a.bias": np.float32(1)}, "wrong_draw", r"came as \[\]"),
        ({"a.bias": np.full((4, 2), np.nan)}, "not_finite", "in 4 of 4 networks"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, np.ndarray], kind: str, words: str) -> None:
    changed = {name: value for name, value in (draw() | change).items() if value is not None}
    flaw = draw_flaw(changed, SHAPES, 4)
    assert flaw is not None
    assert flaw.kind == kind
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(flaw.message)


def test_counters_are_left_out_and_networks_stacked_in_their_order() -> None:
    networks = [{"w": np.full(3, number), "bn.num_batches_tracked": np.int64(7)} for number in range(3)]
    found = stacked(networks, 3)
    assert list(found) == ["w"]
    np.testing.assert_array_equal(found["w"][:, 0], [0, 1, 2])
    assert found["w"].dtype == np.float32


@pytest.mark.parametrize("drawn", [[], [{"w": np.ones(2)}, {"v": np.ones(2)}], [{"w": np.ones(2)}, {"w": np.ones(3)}]])
def test_networks_that_do_not_stack_are_refused(drawn: list[dict[str, np.ndarray]]) -> None:
    with pytest.raises(ValueError, match=r"networks|shape"):
        stacked(drawn, 2)


def test_classes_go_to_text_and_back() -> None:
    import pandas as pd

    classes = np.random.default_rng(0).integers(0, 12, (5, 40))
    texts = pd.Series(encoded(classes))
    np.testing.assert_array_equal(decoded(texts, 40, 12), classes)
    with pytest.raises(ResultError, match="not 40 of the 10"):
        decoded(texts, 40, 10)
    with pytest.raises(ResultError, match="not 41 of the 12"):
        decoded(texts, 41, 12)
