"""Verification finds what opening does not look for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from wslbench.zoo import load_zoo, verify
from wslbench.zoo.documents import read_manifest, write_manifest
from wslbench.zoo.hashing import hash_annotations, hash_shards, hash_tensors
from wslbench.zoo.tables import write_table

SHARD = "weights/w2/10-0.safetensors"


def test_a_sound_zoo_has_no_problems(built_tiny_zoo: Path) -> None:
    assert verify(load_zoo(built_tiny_zoo)) == []


@pytest.mark.parametrize("bit", [0, 3, 7])
def test_one_flipped_bit_is_found(tiny_zoo: Path, bit: int) -> None:
    content = bytearray((tiny_zoo / SHARD).read_bytes())
    content[-100] ^= 1 << bit
    (tiny_zoo / SHARD).write_bytes(content)
    (problem,) = verify(load_zoo(tiny_zoo))
    assert "w2/10-0.safetensors is damaged" in problem


def replace_shard(zoo: Path, tensors: dict[str, np.ndarray]) -> None:
    """A forger's work: another shard, with a manifest that agrees with it."""
    save_file(tensors, zoo / SHARD)
    manifest = read_manifest(zoo)
    update = {"hash": hash_tensors(tensors), "bytes": (zoo / SHARD).stat().st_size}
    shards = {**manifest.weights.shards, SHARD: manifest.weights.shards[SHARD].model_copy(update=update)}
    weights = manifest.weights.model_copy(update={"shards": shards, "hash": hash_shards(shards)})
    write_manifest(zoo, manifest.model_copy(update={"weights": weights}))


def test_weights_that_are_not_of_their_architecture_are_found(tiny_zoo: Path) -> None:
    tensors = load_file(tiny_zoo / SHARD)
    tensors["steps"] = np.ones((15, 1), np.float32)
    replace_shard(tiny_zoo, tensors)
    assert any("does not hold the tensors of architecture 'w2'" in problem for problem in verify(load_zoo(tiny_zoo)))


def test_weights_that_are_not_finite_are_found(tiny_zoo: Path) -> None:
    tensors = load_file(tiny_zoo / SHARD)
    tensors["fc.bias"][3, 2] = np.nan
    replace_shard(tiny_zoo, tensors)
    assert any("'fc.bias' holds values that are not finite" in problem for problem in verify(load_zoo(tiny_zoo)))


def replace_table(zoo: Path, **changes: object) -> None:
    """A forger's work: another table, with a manifest that agrees with it."""
    opened = load_zoo(zoo)
    table = opened.table.reset_index().assign(**changes)
    write_table(table, zoo / "models.parquet")
    annotations = hash_annotations(opened.card, table, opened.pairs)
    write_manifest(zoo, opened.manifest.model_copy(update={"annotations": annotations}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": lambda table: 2 - table["seed"]}, "is not that of (cell, seed, epoch)"),
        ({"measured": lambda table: ~table["measured"]}, "not those of the card's measured_epoch"),
        ({"batch_size": 1, "width": 99}, "'width' has values that the card does not list"),
    ],
)
def test_rows_that_contradict_ids_or_card_are_found(tiny_zoo: Path, changes: dict[str, object], message: str) -> None:
    replace_table(tiny_zoo, **changes)
    assert any(message in problem for problem in verify(load_zoo(tiny_zoo)))


def test_files_that_the_manifest_does_not_know_are_found(tiny_zoo: Path) -> None:
    (tiny_zoo / "weights/w2/11-0.safetensors").write_bytes(b"")
    (tiny_zoo / "splits/mine.parquet").write_bytes(b"")
    problems = verify(load_zoo(tiny_zoo))
    assert [Path(problem.split(" is not")[0]).name for problem in problems] == ["11-0.safetensors", "mine.parquet"]


def test_every_problem_is_reported(tiny_zoo: Path) -> None:
    (tiny_zoo / "models.parquet").unlink()
    (tiny_zoo / "splits/new-load.parquet").write_bytes(b"")
    problems = " | ".join(verify(load_zoo(tiny_zoo)))
    assert "models.parquet is missing" in problems
    assert "new-load.parquet cannot be read" in problems
