"""Annotating a zoo that was not built here: the same numbers, clear refusals, nothing lost."""

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.annotation.foreign import OPTIONS, foreign_zoo
from tests.engines.here import Here
from tests.population.recipes import tiny_recipe
from wslbench.annotation.annotate_zoo import annotate_zoo, open_zoo, staging_folder
from wslbench.annotation.options import options_of
from wslbench.errors import DatasetError, LandscapeError, ZooError
from wslbench.population.build import build_zoo
from wslbench.zoo import Zoo, verify

CELL = "width=2_learning_rate=0.05"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    recipe = tiny_recipe(longer_curve_pairs=1, unfinished_check="none")
    return build_zoo(recipe, tmp_path_factory.mktemp("built") / "tiny", engine=Here()).zoo


@pytest.fixture
def options_file(tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text(yaml.safe_dump(OPTIONS))
    return path


def cell(zoo, cell_id=CELL):
    return zoo.cells.set_index("cell_id").loc[cell_id]


def test_a_foreign_zoo_gets_what_it_would_have_been_built_with(built, tmp_path, options_file):
    bare = foreign_zoo(built, tmp_path / "bare")
    shares = []
    zoo, notes = annotate_zoo(bare, options_of(bare, options_file), Here(), shares.append)
    assert zoo.versions["weights"] == built.versions["weights"]
    assert zoo.card.annotation_version == 2
    assert verify(zoo) == []
    measured = zoo.table[zoo.table["measured"]]
    expected = built.table.loc[measured.index]
    for name in ("train_loss", "test_accuracy", "hessian_trace", "hessian_top_eigenvalue_test", "mode_connectivity"):
        assert measured[name].to_numpy() == pytest.approx(expected[name].to_numpy(), rel=1e-4, abs=0.4), name
    assert measured["phase"].tolist() == expected["phase"].tolist()
    assert set(zoo.protocols) == set(built.protocols)
    both = zoo.pairs.merge(built.pairs, on=["cell_id", "seed_a", "seed_b"], suffixes=("", "_built"))
    assert len(both) == len(built.pairs)
    assert np.allclose(both["cka"], both["cka_built"], atol=1e-4)
    for name in ("longer_mode_connectivity", "linear_connectivity", "aligned_linear_connectivity"):
        assert np.allclose(both[name], both[f"{name}_built"], equal_nan=True, atol=0.4)
    assert any("not checked" in note for note in notes)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert not staging_folder(zoo.path).exists()
    assert len(zoo.card.annotation["hessian_subset"]["test"].split(",")) == 32


def test_what_is_measured_is_not_measured_again(built, tmp_path, options_file, monkeypatch):
    bare = foreign_zoo(built, tmp_path / "bare")
    options = options_of(bare, options_file)

    class Cut(Here):
        def run(self, jobs, work, folder, progress):
            super().run(jobs[:1], work, folder, progress)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annotate_zoo(bare, options, Cut())
    done = {path.name for path in staging_folder(bare.path).iterdir() if path.is_dir()}
    assert done
    assert Zoo(bare.path).card.annotation_version == 1  # the zoo is as it was
    seen = []

    class Watched(Here):
        def run(self, jobs, work, folder, progress):
            seen.extend(cell.cell_id for job in jobs for cell in job.payload.cells)
            super().run(jobs, work, folder, progress)

    zoo = annotate_zoo(bare, options, Watched()).zoo
    assert not done & set(seen)
    assert done | set(seen) == set(zoo.cells["cell_id"])
    other = options.model_copy(update={"label_noise": 0.2})
    with pytest.raises(KeyboardInterrupt):
        annotate_zoo(zoo, options, Cut())
    with pytest.raises(ZooError, match="begun with another recipe"):
        annotate_zoo(zoo, other, Here())


def test_a_cell_with_one_seed_has_no_phase_and_says_so(built, tmp_path, options_file):
    bare = foreign_zoo(built, tmp_path / "bare", keep=lambda row: row["cell_id"] != CELL or row["seed"] == 1)
    zoo, notes = annotate_zoo(bare, options_of(bare, options_file), Here())
    assert f"one seed only, so connectivity and CKA are undefined, hence without a phase: {CELL}" in notes
    assert pd.isna(cell(zoo)["phase"])
    assert np.isfinite(cell(zoo)["train_loss"])
    assert np.isfinite(cell(zoo)["hessian_trace"])
    assert zoo.cells["phase"].notna().sum() == built.cells["phase"].notna().sum() - 1


def test_a_diverged_run_is_flagged_and_kept(built, tmp_path, options_file):
    def diverge(row, tensors):
        if row["cell_id"] == CELL and row["seed"] == 2:
            for array in tensors.values():
                array[...] = np.nan

    bare = foreign_zoo(built, tmp_path / "bare", change=diverge)
    zoo, notes = annotate_zoo(bare, options_of(bare, options_file), Here())
    assert f"dead or diverged, hence without a phase: {CELL}" in notes
    assert len(zoo.table) == len(built.table)
    measured = zoo.table[zoo.table["measured"]]
    assert measured[measured["diverged"]][["cell_id", "seed"]].to_numpy().tolist() == [[CELL, 2]]
    assert pd.isna(cell(zoo)["phase"])
    others = measured[measured["cell_id"] != CELL]
    expected = built.table.loc[others.index]
    assert others["hessian_trace"].to_numpy() == pytest.approx(expected["hessian_trace"].to_numpy(), rel=1e-3)
    assert others["phase"].tolist() == expected["phase"].tolist()


def test_constant_networks_are_dead_not_an_error(built, tmp_path, options_file):
    def flatten(row, tensors):
        if row["cell_id"] == CELL:
            for name, array in tensors.items():
                if not name.endswith("running_var"):
                    array[...] = 0.0

    bare = foreign_zoo(built, tmp_path / "bare", change=flatten)
    zoo, notes = annotate_zoo(bare, options_of(bare, options_file), Here())
    assert f"dead or diverged, hence without a phase: {CELL}" in notes
    assert cell(zoo)["train_loss"] == pytest.approx(np.log(10), rel=1e-4)
    assert np.isnan(cell(zoo)["cka"])
    assert zoo.cells["phase"].notna().sum() == built.cells["phase"].notna().sum() - 1


def test_annotating_again_says_how_labels_changed(built, tmp_path, options_file):
    bare = foreign_zoo(built, tmp_path / "bare")
    options = options_of(bare, options_file)
    once = annotate_zoo(bare, options, Here()).zoo
    assert "former" not in once.card.phase_rule
    stricter = options.model_copy(update={"cutoffs": options.cutoffs.model_copy(update={"train_loss": 1e-6})})
    labels = once.cells.set_index("cell_id")["phase"].dropna()
    twice = annotate_zoo(once, stricter, Here()).zoo
    former = twice.card.phase_rule["former"]
    fresh = twice.cells.set_index("cell_id")["phase"]
    assert former["annotation_version"] == 2
    assert sum(sum(row.values()) for row in former["confusion"].values()) == len(once.cells)
    assert former["changed"] == {c: [labels[c], fresh[c]] for c in labels.index if labels[c] != fresh[c]}


def test_a_zoo_without_its_data_is_refused(built, tmp_path, options_file):
    unknown = foreign_zoo(built, tmp_path / "unknown", data_set="my-photographs")
    with pytest.raises(LandscapeError, match=r"'my-photographs', which wslbench does not read.*--data-set"):
        options_of(unknown, options_file)
    absent = options_of(unknown, options_file, data_set="cifar10")
    with pytest.raises(DatasetError):
        annotate_zoo(unknown, absent.model_copy(update={"data_arguments": {"root": str(tmp_path)}}), Here())
    with pytest.raises(LandscapeError, match=r"does not take inputs of shape \[2\].*--data-set"):
        annotate_zoo(unknown, options_of(unknown, data_set="convection"), Here())
    assert not staging_folder(unknown.path).exists()


def test_other_labels_than_the_networks_own_are_noticed(built, tmp_path, options_file):
    zoo = foreign_zoo(built, tmp_path / "bare")
    annotated = annotate_zoo(zoo, options_of(zoo, options_file), Here()).zoo
    wrong = options_of(annotated, options_file).model_copy(update={"label_noise": 0.5})
    again, notes = annotate_zoo(annotated, wrong, Here())
    assert any("train_accuracy differs from what the zoo says of it" in note for note in notes)
    first = annotated.table["train_accuracy"]
    assert again.table["reported_train_accuracy"].loc[first.index].equals(first.rename("reported_train_accuracy"))
    assert not any("test_accuracy differs" in note for note in notes)


def test_options_that_do_not_exist_are_named(built, tmp_path):
    path = tmp_path / "options.yaml"
    path.write_text("learning_rate: 0.1\n")
    with pytest.raises(LandscapeError, match="'learning_rate' is no option"):
        options_of(built, path)
    path.write_text("curve: {epochs: none}\n")
    with pytest.raises(LandscapeError, match=r"options.yaml: curve.epochs"):
        options_of(built, path)
    with pytest.raises(LandscapeError, match="there is no definition 'mine'"):
        options_of(built, None, "mine").settled_definition()


def test_a_card_that_was_built_here_says_everything(built):
    options = options_of(built)
    recipe = tiny_recipe()
    assert options.curve == recipe.curve
    assert options.label_noise == recipe.label_noise
    assert options.settled_definition() == recipe.definition


def test_a_zoo_of_dead_cells_gets_no_phase_and_no_error(built, tmp_path, options_file):
    dead = built.cells.loc[built.cells["dead"], "cell_id"].tolist()
    bare = foreign_zoo(built, tmp_path / "bare", keep=lambda row: row["cell_id"] in dead)
    zoo, notes = annotate_zoo(bare, options_of(bare, options_file), Here())
    assert dead
    assert zoo.table["phase"].isna().all()
    assert any("without a phase" in note for note in notes)


def test_a_zoo_that_a_killed_call_displaced_is_put_back(tiny_zoo):
    tiny_zoo.rename(tiny_zoo.with_name(f".{tiny_zoo.name}.former"))
    assert open_zoo(tiny_zoo).path == tiny_zoo
    assert [path.name for path in tiny_zoo.parent.iterdir()] == [tiny_zoo.name]
