"""Spectra, compared with an SVD of one matrix at a time, worked examples, and what must not change them."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy, pareto

from wslbench.architectures import Architecture
from wslbench.encodings import statistics
from wslbench.encodings.spectra import MINIMUM_TAIL, SPECTRA, spectra
from wslbench.zoo import Models, Source, load_zoo

module = importlib.import_module("wslbench.encodings.spectra")
PLACE = {name: number for number, name in enumerate(SPECTRA)}


@pytest.fixture
def models(built_tiny_zoo: Path) -> Models:
    return load_zoo(built_tiny_zoo).models()[np.random.default_rng(0).permutation(60)[:25]]


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def with_singular_values(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """One matrix ``[1, rows, columns]`` of these singular values, between random bases."""
    left, right = (np.linalg.qr(drawn(size, len(values)).astype(np.float64))[0] for size in (rows, columns))
    return ((left * values) @ right.T)[None]


def one(matrix: np.ndarray) -> dict[str, float]:
    return dict(zip(SPECTRA, spectra(matrix[None])[0].tolist(), strict=True))


def independent(matrix: np.ndarray) -> dict[str, float]:
    """The same numbers from numpy's and scipy's own routines, one matrix at a time."""
    matrix = matrix.reshape(len(matrix), -1).astype(np.float64)
    singular = np.linalg.svd(matrix, compute_uv=False)
    eigenvalues = np.sort(singular**2)[::-1]
    tail = len(eigenvalues) // 2
    exponent = np.nan
    if tail >= MINIMUM_TAIL:
        above = eigenvalues[:tail]
        exponent = pareto.fit(above, floc=0, fscale=eigenvalues[tail])[0] + 1  # by maximum likelihood, of the density
    return {
        "frobenius_norm": float(np.linalg.norm(matrix)),
        "spectral_norm": float(np.linalg.norm(matrix, 2)),
        "stable_rank": float(np.linalg.norm(matrix) ** 2 / np.linalg.norm(matrix, 2) ** 2),
        "effective_rank": float(np.exp(entropy(singular))),
        **{f"s{quantile}": float(np.percentile(singular, quantile)) for quantile in (0, 25, 50, 75)},
        "power_law": float(exponent),
    }


@pytest.mark.parametrize("shape", [(7, 7), (5, 40), (40, 5), (1, 6), (6, 1), (8, 3, 3, 3), (2, 1, 3, 3), (12, 30)])
def test_an_svd_of_each_matrix_agrees(shape: tuple[int, ...]) -> None:
    stack = drawn(4, *shape)
    expected = [list(independent(matrix).values()) for matrix in stack]
    np.testing.assert_allclose(spectra(stack), expected, rtol=1e-5, atol=1e-7)


def test_the_identity_has_every_rank_and_no_tail() -> None:
    found = one(np.eye(9, dtype=np.float32))
    assert found["frobenius_norm"] == pytest.approx(3)
    assert [found[name] for name in ("stable_rank", "effective_rank")] == pytest.approx([9, 9])
    assert [found[name] for name in ("spectral_norm", "s0", "s25", "s50", "s75")] == pytest.approx([1] * 5)
    assert np.isnan(found["power_law"])


def test_an_orthogonal_matrix_in_float32_has_no_tail_either() -> None:
    """Its eigenvalues differ by rounding alone, whose exponent would be of the order of a million."""
    orthogonal = np.linalg.qr(drawn(30, 30))[0].astype(np.float32)
    assert np.isnan(one(orthogonal)["power_law"])
    assert np.isnan(one(7 * orthogonal[:12])["power_law"])


def test_a_matrix_of_rank_one_has_rank_one() -> None:
    found = one(np.outer([3.0, 0.0, 4.0], [1.0, 2.0, 2.0, 4.0]).astype(np.float32))  # norms 5 and 5
    expected = {"frobenius_norm": 25, "spectral_norm": 25, "stable_rank": 1, "effective_rank": 1, "s0": 0, "s25": 0}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["s50"] == 0
    assert found["s75"] == pytest.approx(12.5)  # between 0 and 25
    assert np.isnan(found["power_law"])


def test_rounding_to_float32_makes_no_singular_value() -> None:
    for rows, columns in ((40, 60), (300, 20)):
        found = one(drawn(rows, 1) * drawn(columns))
        assert found["s75"] == 0
        assert found["effective_rank"] == pytest.approx(1, abs=1e-9)


def test_small_singular_values_are_no_rounding() -> None:
    values = np.geomspace(1e-4, 1, 20)
    found = spectra(with_singular_values(values, 20, 50))[0]
    np.testing.assert_allclose(found[PLACE["s0"]], 1e-4, rtol=1e-6)
    np.testing.assert_allclose(found[PLACE["s25"]], np.percentile(values, 25), rtol=1e-6)


def test_zeros_have_norms_and_ranks_zero() -> None:
    for shape in ((4, 9), (9, 4), (1, 1), (3, 2, 5, 5)):
        found = one(np.zeros(shape, np.float32))
        assert np.isnan(found.pop("power_law"))
        assert set(found.values()) == {0.0}


def test_two_singular_values_worked_by_hand() -> None:
    found = one(np.array([[3, 0, 0], [0, -1, 0]], np.float32))
    assert found["frobenius_norm"] == pytest.approx(np.sqrt(10))
    assert found["stable_rank"] == pytest.approx(10 / 9)
    assert found["effective_rank"] == pytest.approx(4 / 3**0.75)  # H = ln 4 − 3/4 ln 3
    assert [found[name] for name in ("s0", "s25", "s50", "s75")] == pytest.approx([1, 1.5, 2, 2.5])


def test_the_exponent_worked_by_hand() -> None:
    """Eigenvalues e⁰ … e⁷: the upper four are 1, 2, 3, 4 above the fifth on the logarithmic scale."""
    found = spectra(with_singular_values(np.exp(np.arange(8) / 2), 8, 11))[0]
    assert found[PLACE["power_law"]] == pytest.approx(1 + 4 / 10)


@pytest.mark.parametrize("exponent", [1.5, 2.5, 4.0])
def test_the_exponent_of_a_power_law_is_found(exponent: float) -> None:
    eigenvalues = pareto.rvs(exponent - 1, size=600, random_state=1)
    found = spectra(with_singular_values(np.sqrt(eigenvalues), 600, 600))[0, PLACE["power_law"]]
    assert found == pytest.approx(exponent, rel=4 * (exponent - 1) / exponent / np.sqrt(300))  # four deviations


def test_the_exponent_needs_six_eigenvalues_above_zero() -> None:
    five, six = (with_singular_values(np.arange(1.0, count + 1), 10, 12) for count in (5, 6))
    assert np.isnan(spectra(five)[0, PLACE["power_law"]])
    assert np.isfinite(spectra(six)[0, PLACE["power_law"]])
    logarithms = 2 * np.log([4, 5, 6]) - 2 * np.log(3)  # the zeros beside them do not count
    assert spectra(six)[0, PLACE["power_law"]] == pytest.approx(1 + 3 / logarithms.sum())


def test_permutations_signs_and_rotations_leave_spectra_alone() -> None:
    stack = drawn(5, 14, 9).astype(np.float64)
    expected = spectra(stack)
    random = np.random.default_rng(0)
    rotation = np.linalg.qr(random.normal(size=(14, 14)))[0]
    for changed in (stack[:, random.permutation(14)], stack[:, :, random.permutation(9)], -stack, rotation @ stack):
        np.testing.assert_allclose(spectra(changed), expected, rtol=1e-8)
    np.testing.assert_allclose(spectra(stack.transpose(0, 2, 1)), expected, rtol=1e-8)


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1e3, 1e30])
def test_ranks_and_exponent_are_free_of_scale_and_the_rest_is_not(factor: float) -> None:
    stack = drawn(5, 14, 9)
    before, after = spectra(stack), spectra(stack * np.float32(factor))
    free = [PLACE[name] for name in ("stable_rank", "effective_rank", "power_law")]
    np.testing.assert_allclose(after[:, free], before[:, free], rtol=1e-5)
    rest = [PLACE[name] for name in ("frobenius_norm", "spectral_norm", "s0", "s25", "s50", "s75")]
    np.testing.assert_allclose(after[:, rest], before[:, rest] * factor, rtol=1e-5)


def test_ranks_lie_between_one_and_the_shorter_side() -> None:
    ranks = spectra(drawn(50, 6, 13))[:, [PLACE["stable_rank"], PLACE["effective_rank"]]]
    assert ((ranks >= 1) & (ranks <= 6)).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_entry_that_is_not_finite_spoils_its_own_row_alone(bad: float) -> None:
    stack = drawn(6, 8, 10)
    expected = spectra(stack)
    stack[2, 3, 4] = bad
    found = spectra(stack)
    assert np.isnan(found[2]).all()
    np.testing.assert_array_equal(np.delete(found, 2, axis=0), np.delete(expected, 2, axis=0))


def test_the_largest_and_smallest_floats_stay_finite() -> None:
    limits = np.finfo(np.float32)
    found = spectra(np.stack([np.full((7, 9), value, np.float32) for value in (limits.max, limits.smallest_subnormal)]))
    assert np.isfinite(np.delete(found, PLACE["power_law"], axis=1)).all()
    assert (found[:, PLACE["spectral_norm"]] > 0).all()
    np.testing.assert_allclose(found[:, PLACE["stable_rank"]], 1)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = drawn(11, 6, 4, 3)
    whole = spectra(stack)
    assert whole.shape == (11, len(SPECTRA))
    monkeypatch.setattr(module, "_BLOCK_BYTES", 8 * (6 * 12 + 6**2) * 4)  # 4, 4 and 3
    np.testing.assert_allclose(spectra(stack), whole, rtol=1e-12)
    np.testing.assert_allclose(spectra(stack[::-1]), whole[::-1], rtol=1e-12)


def test_the_table_gains_nine_columns_a_matrix_and_loses_none(models: Models) -> None:
    plain, spectral = statistics(models), statistics(models, spectral=True)
    pd.testing.assert_frame_equal(spectral[plain.columns], plain, check_exact=True)
    matrices = ["conv1.weight", "conv2.weight", "conv3.weight", "fc.weight"]
    added = [column for column in spectral.columns if column not in plain.columns]
    assert sorted(added) == sorted(f"{name}.{kind}" for name in matrices for kind in SPECTRA)
    for model in models:
        for name in matrices:
            expected = independent(model.tensors()[name])
            found = spectral.loc[model.id, [f"{name}.{kind}" for kind in SPECTRA]].to_numpy(dtype=float)
            np.testing.assert_allclose(found, list(expected.values()), rtol=1e-4, atol=1e-6)


def test_a_row_of_the_table_depends_on_its_model_alone(models: Models) -> None:
    whole = statistics(models, spectral=True)
    pd.testing.assert_frame_equal(statistics(models[::-1], spectral=True), whole.iloc[::-1], rtol=1e-10)
    alone = pd.concat([statistics(models[[number]], spectral=True) for number in range(len(models))])
    pd.testing.assert_frame_equal(alone, whole, rtol=1e-10)


def test_widths_mix_and_a_vector_of_the_same_name_has_no_spectrum() -> None:
    narrow, wide, vector = drawn(2, 3, 7), drawn(1, 8, 20), drawn(1, 5)
    sources = [
        Source(name, Architecture(builder="cnn"), lambda stack=stack: {"w": stack})
        for name, stack in (("narrow", narrow), ("wide", wide), ("vector", vector))
    ]
    mixed = Models(np.array(["a", "b", "c", "d"], object), sources, np.array([0, 1, 2, 0]), np.array([1, 0, 0, 0]))
    frame = statistics(mixed, spectral=True)[[f"w.{kind}" for kind in SPECTRA]]
    for row, matrix in {"a": narrow[1], "b": wide[0], "d": narrow[0]}.items():
        np.testing.assert_allclose(frame.loc[row], list(independent(matrix).values()), rtol=1e-5)
    assert frame.loc["c"].isna().all()


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_a_network_that_diverged_leaves_the_others_in_the_table(models: Models) -> None:
    stack = drawn(3, 6, 6)
    stack[1, 0, 0] = np.nan
    source = Source("a", Architecture(builder="cnn"), lambda: {"w": stack})
    frame = statistics(
        Models(np.array(["a", "b", "c"], object), [source], np.zeros(3, int), np.arange(3)), spectral=True
    )
    assert frame.filter(regex="|".join(SPECTRA)).isna().all(axis=1).tolist() == [False, True, False]
    assert frame.loc[["a", "c"]].notna().all(axis=None)
