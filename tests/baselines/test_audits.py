"""What each baseline is blind to, by the audit that users run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.baselines.made import BASELINES
from tests.tasks.declared import tiny_tasks
from tests.zoos import NAME
from wslbench.evaluation import AuditRecord, Settings, audit

FLOATING_POINT = 1e-4  # of a standard deviation of the target; float32 sums in another order


def audited(name: str, zoo: Path, folder: Path) -> AuditRecord:
    record = audit(
        BASELINES / f"{name}.py",
        f"{NAME}.train-loss@new-load",
        draws=1,
        out=folder / "out",
        settings=Settings(jobs=1),
        book=tiny_tasks(folder),
        zoos={NAME: zoo},
    )
    assert record.status == "ok", record.message
    assert record.permutation is not None
    assert record.scaling is not None
    return record


@pytest.mark.parametrize("name", ["graph_encoder", "neural_functional", "weight_statistics", "spectral"])
def test_blind_to_the_order_of_units_and_not_to_their_scale(name: str, built_tiny_zoo: Path, tmp_path: Path) -> None:
    record = audited(name, built_tiny_zoo, tmp_path)
    assert record.permutation.spread < FLOATING_POINT
    assert record.scaling.spread > 10 * FLOATING_POINT


@pytest.mark.parametrize("name", ["probing", "chance", "architecture_only"])
def test_blind_to_all_that_leaves_the_function_alone(name: str, built_tiny_zoo: Path, tmp_path: Path) -> None:
    record = audited(name, built_tiny_zoo, tmp_path)
    assert record.permutation.spread < FLOATING_POINT
    assert record.scaling.spread < FLOATING_POINT


def test_raw_weights_are_not_blind(built_tiny_zoo: Path, tmp_path: Path) -> None:
    book = f"{NAME}.train-loss"  # the widths that are tested have to be among those that are learned from
    record = audit(BASELINES / "flat.py", book, draws=1, out=tmp_path / "out", settings=Settings(jobs=1),
                   book=tiny_tasks(tmp_path), zoos={NAME: built_tiny_zoo})  # fmt: skip
    assert record.permutation.spread > 10 * FLOATING_POINT
    assert record.scaling.spread > 10 * FLOATING_POINT
