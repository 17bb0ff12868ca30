"""Synthetic zoos: as sound as a grown one, the same every time, and marked wherever they are looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import wslbench
from wslbench.encodings import statistics
from wslbench.errors import RecipeError, ZooError
from wslbench.population import synthetic_zoo
from wslbench.population.synthetic_zoo import MOST, SEEDS, WIDTHS, synthesise_zoo
from wslbench.tasks import PHASES
from wslbench.zoo import Zoo, load_zoo, verify

FEWEST = 100  # on the default grid


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    return synthesise_zoo(tmp_path_factory.mktemp("synthetic") / "zoo", 503)


def test_it_is_a_sound_zoo_of_that_many_checkpoints(zoo: Zoo) -> None:
    assert verify(zoo) == []
    assert len(zoo.table) == 503
    assert sorted(zoo.cells["runs"].value_counts().items()) == [(3, 1), (SEEDS, 100)]  # the last cell is cut off
    assert zoo.protocols == ["new-load", "new-temperature", "phase-stratified"]


def test_it_has_the_columns_of_a_zoo_that_was_grown(zoo: Zoo) -> None:
    grown = wslbench.load_zoo("digits-cnn").table
    annotated_later = [name for name in grown.columns if name.endswith(("_test", "_test_se"))]
    expected = grown.drop(columns=annotated_later).dtypes
    assert zoo.table.dtypes.sort_index().equals(expected.sort_index())


def test_phases_lie_on_the_grid_as_in_real_zoos(zoo: Zoo) -> None:
    cells = zoo.cells
    assert set(cells["phase"]) == set(PHASES)
    for width in WIDTHS:
        rates = cells[cells["width"] == width].groupby("phase")["learning_rate"].mean()
        cold_to_hot = ["III", "I"] if width <= 3 else ["IV-A", "IV-B", "II"]
        assert rates.sort_values().index.tolist() == cold_to_hot


def test_every_fold_trains_on_every_phase(zoo: Zoo) -> None:
    phase = zoo.table.set_index("run_id")["phase"]
    for protocol in zoo.protocols:
        split = zoo.split(protocol)
        for fold in split.folds:
            assert set(phase[split.train_runs(fold)]) == set(PHASES)


def test_weights_carry_phase_and_accuracy(zoo: Zoo) -> None:
    table = zoo.table
    encoded = statistics(zoo.models(table.index))
    scale = encoded["conv3.weight.std"].groupby(table["phase"]).mean()
    np.testing.assert_allclose(scale[list(PHASES)], [0.2, 0.4, 0.6, 0.8, 1.0], rtol=0.05)
    assert np.corrcoef(encoded["fc.bias.mean"], table["test_accuracy"])[0, 1] > 0.9


def test_the_same_arguments_give_the_same_zoo(zoo: Zoo, tmp_path: Path) -> None:
    assert synthesise_zoo(tmp_path / "again", 503).versions == zoo.versions
    assert synthesise_zoo(tmp_path / "other", 503, seed=1).versions["weights"] != zoo.versions["weights"]


def test_no_two_blocks_hold_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic_zoo, "_BLOCK_VALUES", 400)
    zoo = synthesise_zoo(tmp_path / "zoo", FEWEST)
    stacks = zoo.models().by_architecture()
    together = np.concatenate([stack[name].ravel() for stack in stacks for name in ("conv1.weight", "fc.weight")])
    assert len(np.unique(together)) > 0.999 * len(together)  # of 33,000 float32 a handful meet by chance


def test_an_interrupted_call_leaves_no_zoo_and_the_next_one_goes_on(tmp_path: Path) -> None:
    def stop(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    destination = tmp_path / "zoo"
    with pytest.raises(KeyboardInterrupt):
        synthesise_zoo(destination, 200, on_progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["zoo.partial"]
    with pytest.raises(ZooError, match="another recipe"):
        synthesise_zoo(destination, 200, seed=1)
    finished = synthesise_zoo(destination, 200)
    assert [path.name for path in tmp_path.iterdir()] == ["zoo"]
    assert verify(finished) == []
    assert finished.versions == synthesise_zoo(tmp_path / "at once", 200).versions


def test_a_call_that_was_killed_when_the_zoo_stood_already_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: object) -> None:
        raise KeyboardInterrupt

    destination = tmp_path / "zoo"
    with monkeypatch.context() as patch:
        patch.setattr("wslbench.zoo.staging.Staging.remove", die)
        with pytest.raises(KeyboardInterrupt):
            synthesise_zoo(destination, FEWEST)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["zoo", "zoo.partial"]
    assert verify(synthesise_zoo(destination, FEWEST)) == []
    assert [path.name for path in tmp_path.iterdir()] == ["zoo"]


def test_networks_may_be_as_large_as_one_likes(tmp_path: Path) -> None:
    zoo = synthesise_zoo(tmp_path / "zoo", 60, widths=(1, 20))
    assert verify(zoo) == []
    assert zoo.card.load.values == [1, 20]
    assert {stack.shape("conv3.weight")[0] for stack in zoo.models().by_architecture()} == {2, 40}
    assert set(zoo.table["phase"]) == set(PHASES)


def test_it_says_that_it_is_synthetic(zoo: Zoo) -> None:
    card = load_zoo(zoo.path).card
    assert card.synthetic
    assert card.name == "synthetic-503"
    assert card.description.startswith("SYNTHETIC")
    assert not wslbench.load_zoo("digits-cnn").card.synthetic


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"checkpoints": 0}, "cannot have 0 checkpoints"),
        ({"checkpoints": FEWEST - 1}, "cannot be split"),
        ({"checkpoints": MOST + 1}, "more than 500000 rows are not read"),
        ({"checkpoints": FEWEST, "seed": -1}, "the seed is -1"),
        ({"checkpoints": FEWEST, "widths": (2, 3, 4, 6, 7)}, "fewer than 125"),
        ({"checkpoints": FEWEST, "widths": (3,)}, "no widths for a grid"),
        ({"checkpoints": FEWEST, "widths": (0, 3)}, "no widths for a grid"),
        ({"checkpoints": FEWEST, "widths": (3, 2)}, "no widths for a grid"),
        ({"checkpoints": FEWEST, "name": "digits-cnn"}, "begins with 'synthetic-'"),
        ({"checkpoints": FEWEST, "name": "synthetic-/.."}, "letters, digits"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        synthesise_zoo(tmp_path / "zoo", **arguments)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wslbench.zoo.weight_sources.write_tensors", full)
    with pytest.raises(ZooError, match=r"No space left on device.*goes on from there"):
        synthesise_zoo(tmp_path / "zoo", FEWEST)
