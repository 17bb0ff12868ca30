"""The stored order parameters of the embedded zoos, computed once more from their stored weights."""

import numpy as np
import pytest
import torch

import wslbench
from wslbench.annotation.jobs import annotation_jobs
from wslbench.annotation.measurement import measure_hessians, measure_pairs, measure_runs
from wslbench.annotation.options import options_of
from wslbench.annotation.order_parameters import hessian_samples
from wslbench.training import ModelStack

pytestmark = pytest.mark.slow

CELLS = {
    "digits-cnn": (["width=3_learning_rate=0.02", "width=4_learning_rate=0.095"], [(0, 1), (2, 3)]),
    "convection-pinn": (["beta=3_learning_rate=0.002", "beta=8_learning_rate=0.007"], [(0, 1), (2, 4)]),
}
"""Two cells each, and the seed pairs that are compared: a curve takes seconds."""


@pytest.fixture(scope="module", params=CELLS)
def measured(request):
    zoo = wslbench.load_zoo(request.param)
    options = options_of(zoo)
    wanted, some = CELLS[request.param]
    others = set(zoo.cells["cell_id"]) - set(wanted)
    runs, pairs = [], []
    for job in annotation_jobs(zoo, zoo.path, {}, options, others, "cpu"):
        payload = job.payload
        (arrays,) = zoo.models(payload.model_ids).by_architecture()
        tensors = {name: torch.from_numpy(np.array(arrays[name])) for name in arrays.keys()}  # noqa: SIM118
        stack = ModelStack.from_tensors(arrays.architecture, tensors)
        objective = options.training_data(zoo.name).objective(stack.architecture, payload.coefficients)
        cells = [cell._replace(pairs=some, longer=[]) for cell in payload.cells]
        definition, epoch = options.settled_definition(), zoo.card.measured_epoch
        own = measure_runs(cells, stack, epoch, objective)
        runs.append(own.assign(**measure_hessians(zoo.name, cells, stack, objective, definition)))
        pairs.append(measure_pairs(zoo.name, cells, stack, epoch, objective, definition))
    return zoo, runs, pairs


def test_runs_are_within_the_stored_errors(measured):
    zoo, parts, _ = measured
    stored = zoo.table[zoo.table["measured"]].set_index(["cell_id", "seed"])
    for runs in parts:
        expected = stored.loc[list(zip(runs["cell_id"], runs["seed"], strict=True))]
        assert runs["train_loss"].to_numpy() == pytest.approx(expected["train_loss"].to_numpy(), rel=1e-4)
        for ending in ("", "_test"):
            trace = runs[f"hessian_trace{ending}"].to_numpy() - expected[f"hessian_trace{ending}"].to_numpy()
            assert (np.abs(trace) <= expected[f"hessian_trace{ending}_se"].to_numpy()).all()
            top = runs[f"hessian_top_eigenvalue{ending}"].to_numpy()
            gap = np.abs(top - expected[f"hessian_top_eigenvalue{ending}"].to_numpy())
            assert (gap <= expected[f"hessian_top_residual{ending}"].to_numpy() + 1e-3 * np.abs(top)).all()


def test_pairs_are_within_the_stored_errors(measured):
    zoo, _, parts = measured
    keys = ["cell_id", "seed_a", "seed_b", "epoch"]
    cells = zoo.cells.set_index("cell_id")
    for pairs in parts:
        both = pairs.merge(zoo.pairs, on=keys, suffixes=("", "_stored"))
        assert len(both) == len(pairs)
        means = both.drop(columns=["seed_a", "seed_b", "epoch"]).groupby("cell_id").mean()
        for cell, mean in means.iterrows():
            for name in ("mode_connectivity", "cka"):
                error = cells.loc[cell, f"{name}_se"]
                assert mean[name] == pytest.approx(mean[f"{name}_stored"], abs=error), (cell, name)
        for name in ("linear_connectivity", "test_error_0.5", "line_test_error_0.5"):
            assert np.isfinite(both[f"{name}_stored"]).all()
        for name in ("line_train_loss_0.5", "aligned_line_train_loss_0.5"):
            assert both[name].to_numpy() == pytest.approx(both[f"{name}_stored"].to_numpy(), rel=1e-3)


def test_the_hessian_subset_is_stored(measured):
    zoo, _, _ = measured
    settings = options_of(zoo).settled_definition().hessian
    sizes = {"train": zoo.card.data_set.train_size, "test": zoo.card.data_set.test_size}
    for side, size in sizes.items():
        stored = [int(number) for number in zoo.card.annotation["hessian_subset"][side].split(",")]
        assert stored == hessian_samples(zoo.name, size, settings.subset_size, side).tolist()
        assert len(set(stored)) == settings.subset_size


def test_the_labels_before_are_on_record(measured):
    zoo, _, _ = measured
    former = zoo.card.phase_rule["former"]
    assert zoo.card.annotation_version > former["annotation_version"]
    changed = sum(n for old, row in former["confusion"].items() for new, n in row.items() if old != new)
    assert changed == len(former["changed"])
    assert sum(sum(row.values()) for row in former["confusion"].values()) == len(zoo.cells)
