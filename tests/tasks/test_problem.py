"""Tasks resolved on the tiny zoo: rows, targets, folds, and what a zoo must have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special

from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.errors import SplitError, TaskError
from wslbench.tasks import PHASES, TaskBook, prepare
from wslbench.zoo import Zoo, load_zoo, rewrite_annotations


@pytest.fixture
def zoo(built_tiny_zoo: Path) -> Zoo:
    return load_zoo(built_tiny_zoo)


@pytest.fixture
def book(tmp_path: Path) -> TaskBook:
    return tiny_tasks(tmp_path)


def reannotated(path: Path, change, **card: object) -> Zoo:
    """The zoo at ``path`` with its table changed in place; other phases would make ``new-phase`` another split."""
    zoo = load_zoo(path)
    described = zoo.card.model_copy(update=card)
    table = zoo.table.reset_index()
    change(table)
    splits = [zoo.split(protocol) for protocol in zoo.protocols if protocol != "new-phase"]
    rewrite_annotations(path, described, table, zoo.pairs, splits)
    return load_zoo(path)


def test_rows_are_the_measured_checkpoints_with_their_own_values(zoo: Zoo, book: TaskBook) -> None:
    table = prepare(book[f"{NAME}.phase"], zoo).table.set_index("model_id")
    assert len(table) == 30
    source = zoo.table.loc[table.index]
    assert source["measured"].all()
    for column in ("run_id", "cell_id", "phase", "phase_probability"):
        assert (table[column] == source[column]).all()
    assert (table["target"] == source["phase"]).all()
    assert (table["load"] == source["width"]).all()
    assert (table["temperature"] == source["learning_rate"]).all()


def test_targets_are_on_the_tasks_scale_beside_the_natural_one(zoo: Zoo, book: TaskBook) -> None:
    def target(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        table = prepare(book[f"{NAME}.{name}"], zoo).table.set_index("model_id")
        return table, zoo.table.loc[table.index]

    table, source = target("test-accuracy")
    assert table["natural_target"].to_numpy() == pytest.approx(source["test_accuracy"].to_numpy())
    clipped = np.clip(source["test_accuracy"], 0.5 / 597, 1 - 0.5 / 597)
    assert table["target"].to_numpy() == pytest.approx(special.logit(clipped))
    table, source = target("loss-gap")
    assert table["target"].to_numpy() == pytest.approx((source["test_loss"] - source["train_loss"]).to_numpy())
    table, source = target("sharpness")
    assert table["target"].to_numpy() == pytest.approx(np.arcsinh(source["hessian_trace"].to_numpy()))


@pytest.mark.parametrize("suffix", ["", "@new-load", "@new-temperature"])
def test_no_unit_and_no_cell_stands_on_both_sides(zoo: Zoo, book: TaskBook, suffix: str) -> None:
    problem = prepare(book[f"{NAME}.phase{suffix}"], zoo)
    tested = pd.concat([problem.test(fold) for fold in problem.folds])
    assert sorted(tested["model_id"]) == sorted(problem.table["model_id"])
    for fold in problem.folds:
        train, test = problem.train(fold), problem.test(fold)
        assert len(train) + len(test) == len(problem.table)
        for column in ("model_id", "run_id", "cell_id", "unit"):
            assert not set(train[column]) & set(test[column])


def test_on_new_phase_a_whole_phase_is_new_and_every_model_counts(zoo: Zoo, book: TaskBook) -> None:
    problem = prepare(replace(book[f"{NAME}.loss-gap"], protocol="new-phase"), zoo)
    assert problem.unit == "phase"
    for fold, phase in zip(problem.folds, PHASES, strict=True):
        assert set(problem.test(fold)["phase"]) == {phase}
        assert phase not in set(problem.train(fold)["phase"])
        assert problem.absent[fold] == (phase,)
    assert problem.scored.all()


def test_a_cells_seeds_share_its_connectivity_and_similarity(zoo: Zoo, book: TaskBook) -> None:
    for column in ("mode_connectivity", "cka"):
        task = replace(book[f"{NAME}.loss-gap"], column=column, minus=None)
        table = prepare(task, zoo).table
        assert (table.groupby("cell_id")["target"].nunique() == 1).all()
        by_pair = zoo.pairs.groupby("cell_id")[column].mean()
        assert table["target"].to_numpy() == pytest.approx(by_pair.loc[table["cell_id"]].to_numpy())


def test_phases_that_training_never_shows_are_listed_and_not_scored(zoo: Zoo, book: TaskBook) -> None:
    problem = prepare(book[f"{NAME}.phase@new-temperature"], zoo)
    expected = np.zeros(len(problem.table), dtype=bool)
    for position, row in enumerate(problem.table.itertuples()):
        shown = set(problem.table["phase"][problem.table["fold"] != row.fold])
        expected[position] = row.phase in shown
        assert (row.phase in problem.absent[row.fold]) != expected[position]
    assert 0 < expected.sum() < len(expected)
    assert np.array_equal(problem.scored, expected)
    assert prepare(book[f"{NAME}.loss-gap@new-temperature"], zoo).scored.all()


def test_classes_are_the_phases_that_occur_in_canonical_order(tiny_zoo: Path, book: TaskBook, zoo: Zoo) -> None:
    assert prepare(book[f"{NAME}.phase"], zoo).classes == PHASES
    assert prepare(book[f"{NAME}.loss-gap"], zoo).classes == ()

    def forget(table: pd.DataFrame) -> None:
        table.loc[table["phase"] == "II", "phase"] = None

    problem = prepare(book[f"{NAME}.phase"], reannotated(tiny_zoo, forget))
    assert problem.classes == ("I", "III", "IV-A", "IV-B")
    assert len(problem.table) == 24


def test_a_zoo_without_phases_keeps_all_it_measured(tiny_zoo: Path, book: TaskBook, zoo: Zoo) -> None:
    def forget(table: pd.DataFrame) -> None:
        table["phase"], table["phase_probability"] = None, np.nan

    bare = reannotated(tiny_zoo, forget, phase_rule=None)
    problem = prepare(book[f"{NAME}.loss-gap"], bare)
    assert sorted(problem.model_ids) == sorted(zoo.table.index[zoo.table["measured"]])
    assert problem.table["phase"].isna().all()
    assert problem.absent == dict.fromkeys(problem.folds, ())
    assert problem.scored.all()
    with pytest.raises(TaskError, match="no cell of the zoo 'tiny-cnn' has one: `wslbench zoo annotate`"):
        prepare(book[f"{NAME}.phase"], bare)


def test_where_a_rule_named_phases_cells_without_one_are_left_out_of_every_task(tiny_zoo: Path, book: TaskBook) -> None:
    def forget(table: pd.DataFrame) -> None:
        table.loc[table["phase"] == "II", "phase"] = None

    assert len(prepare(book[f"{NAME}.loss-gap"], reannotated(tiny_zoo, forget)).table) == 24


def test_unfinished_cells_are_left_out(tiny_zoo: Path, book: TaskBook, zoo: Zoo) -> None:
    cell = zoo.table["cell_id"].iloc[0]

    def mark(table: pd.DataFrame) -> None:
        table.loc[table["cell_id"] == cell, "unfinished"] = True

    problem = prepare(book[f"{NAME}.loss-gap"], reannotated(tiny_zoo, mark))
    assert cell not in set(problem.table["cell_id"])
    assert len(problem.table) == 27


def test_a_target_that_is_not_finite_is_refused_by_name(tiny_zoo: Path, book: TaskBook) -> None:
    broken = {}

    def spoil(table: pd.DataFrame) -> None:
        row = table.index[table["measured"]][4]
        table.loc[row, "hessian_trace"] = np.nan
        broken["id"] = table.loc[row, "model_id"]

    spoiled = reannotated(tiny_zoo, spoil)
    with pytest.raises(TaskError) as caught:
        prepare(book[f"{NAME}.sharpness"], spoiled)
    assert broken["id"] in str(caught.value)
    assert "hessian_trace" in str(caught.value)
    assert len(prepare(book[f"{NAME}.loss-gap"], spoiled).table) == 30


def test_a_zoo_that_does_not_fit_the_task_is_refused(zoo: Zoo, book: TaskBook) -> None:
    task = book[f"{NAME}.loss-gap"]
    with pytest.raises(TaskError, match="about the zoo 'other'"):
        prepare(replace(task, zoo="other"), zoo)
    with pytest.raises(TaskError, match="reads curvature, which"):
        prepare(replace(task, column="curvature"), zoo)
    with pytest.raises(SplitError, match="no split 'new-zoo'"):
        prepare(replace(task, protocol="new-zoo"), zoo)


def test_the_order_of_rows_tells_nothing(zoo: Zoo, book: TaskBook) -> None:
    ids = prepare(book[f"{NAME}.phase"], zoo).table["model_id"].tolist()
    assert ids == sorted(ids)
