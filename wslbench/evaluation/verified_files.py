"""Where verified results stand on disk, and how they get there.

``<folder>/<zoo>-<12 digits of the commitment>/`` holds what belongs to a re-grown zoo: its card ``zoo.json``, for each
task the tested models in ``targets/<task>.parquet``, ``results/<method>/<task>.json`` and ``.parquet`` as every folder
of results has them, and beside these ``gap/<task>.json``.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pandas as pd

from wslbench.errors import ResultError, ZooError
from wslbench.evaluation.predictions import write_predictions
from wslbench.evaluation.record_files import read_record_of, write_record
from wslbench.evaluation.verified_schema import GapRecord, RegrownCard, ZooHashes
from wslbench.tasks.regrown_problem import TARGET_COLUMNS
from wslbench.zoo.atomic import replacing
from wslbench.zoo.hashing import hash_json, hash_rows
from wslbench.zoo.parquet import read_parquet

if TYPE_CHECKING:
    from wslbench.evaluation.verifier import Verification
    from wslbench.zoo import Zoo

CARD: Final = "zoo.json"
GAP_FOLDER: Final = "gap"
_DIGITS: Final = 12  # of the commitment in a folder's name


class Attestation(NamedTuple):
    """What a card says that no file tells; see :class:`RegrownCard`."""

    drawn: datetime
    by: str


def cards_in(folder: Path) -> list[Path]:
    """Paths of the cards in a folder of verified results; none where there is no such folder."""
    return sorted(path for path in folder.glob(f"*/{CARD}") if not path.parent.name.startswith("."))


def folder_name(zoo: str, commitment: str) -> str:
    """What the folder of a re-grown zoo is called."""
    return f"{zoo}-{commitment[:_DIGITS]}"


def results_folder(card: Path) -> Path:
    """The folder of results that belongs to a card."""
    return card.parent / "results"


def targets_path(card: Path, task: str) -> Path:
    """Where the tested models of a task stand."""
    return card.parent / "targets" / f"{task}.parquet"


def gap_path(result: Path) -> Path:
    """Where the gap stands that belongs to a result."""
    return result.parent / GAP_FOLDER / result.name


def read_card(path: Path) -> RegrownCard:
    """Read a card.

    Raises
    ------
    ResultError
        If it cannot be read, is no such card, or is of another zoo or secret than its folder's name says.
    """
    card = read_record_of(RegrownCard, path, "card")
    if path.parent.name != folder_name(card.zoo, card.commitment):
        raise ResultError(f"The card {path} is of {folder_name(card.zoo, card.commitment)}, not of its folder's name.")
    return card


def read_targets(path: Path, card: RegrownCard) -> pd.DataFrame:
    """The tested models of a task.

    Raises
    ------
    ResultError
        If there are none, they cannot be read, or they are not those that the card is about.
    """
    if path.stem not in card.targets:
        raise ResultError(f"The card of {path.parent.parent.name} names no targets of {path.stem}.")
    try:
        targets: pd.DataFrame = read_parquet(path, str(path)).to_pandas()
        found = hash_rows(targets, ["model_id"])
    except (ZooError, KeyError, TypeError) as error:
        raise ResultError(f"The targets {path} cannot be read: {error}") from error
    if found != card.targets[path.stem]:
        raise ResultError(f"The targets {path} are not those that the card beside them is about.")
    return targets


def read_gap(path: Path) -> GapRecord:
    """Read the gap of a method on a task.

    Raises
    ------
    ResultError
        If it cannot be read, or is no such record.
    """
    return read_record_of(GapRecord, path, "gap")


def refuse_disclosed(folder: Path, zoo: str, commitment: str) -> None:
    """Refuse to verify on a zoo that everybody can grow by now.

    Raises
    ------
    ResultError
        If the card of this zoo and secret holds the secret, or cannot be read.
    """
    path = folder / folder_name(zoo, commitment) / CARD
    if path.exists() and read_card(path).secret is not None:
        raise ResultError(
            f"The secret of {path.parent.name} has been disclosed: nothing can be verified by it any more."
        )


def publish(
    found: Sequence[Verification],
    public: Mapping[str, Zoo],
    regrown: Mapping[str, Zoo],
    out: Path,
    into: Path,
    attestation: Attestation,
) -> list[Path]:
    """Take verifications into a folder of verified results.

    What stands there of the same zoo and secret stays; a method's earlier result on a task is replaced.

    Parameters
    ----------
    public, regrown
        As :func:`~wslbench.evaluation.verifier.verify_method` was given them.
    out
        The folder that it wrote to.
    into
        Such as ``leaderboard/verified``.

    Returns
    -------
    Paths of the results that were written.

    Raises
    ------
    ResultError
        If a result is not of the tier ``verified``, the zoo's secret has been disclosed, what stands there of the same
        secret is of another zoo, or a file cannot be read or written.
    """
    written = []
    for each in found:
        record = each.records["regrown"]
        if record.tier != "verified":
            raise ResultError(
                f"{record.method.name} on {each.task} was not verified: it ran in the tier {record.tier}, and "
                "needs the sandbox."
            )
        zoo = record.task.zoo
        card = _card(each, public[zoo], regrown[zoo], attestation)
        path = into / folder_name(card.zoo, card.commitment) / CARD
        refuse_disclosed(into, card.zoo, card.commitment)
        card = _joined(path, card)
        try:
            targets = targets_path(path, each.task)
            targets.parent.mkdir(parents=True, exist_ok=True)
            write_predictions(each.targets[list(TARGET_COLUMNS)], targets)
            write_record(card, path, "card")
            written.append(_write(each, out, results_folder(path)))
        except OSError as error:
            raise ResultError(f"The verified results {path.parent} cannot be written: {error}") from error
    return written


def _card(found: Verification, public: Zoo, regrown: Zoo, attestation: Attestation) -> RegrownCard:
    protocol = found.records["regrown"].task.protocol
    commitment = regrown.card.recipe.get("seed_commitment")
    if commitment is None:
        raise ResultError(f"The zoo {regrown.path} was not grown from a secret: nothing can be verified on it.")
    return RegrownCard(
        zoo=public.name,
        commitment=commitment,
        recipe=hash_json(regrown.card.recipe),
        public=ZooHashes(**public.versions),
        regrown=ZooHashes(**regrown.versions),
        splits={protocol: public.split(protocol).hash},
        targets={found.task: hash_rows(found.targets[list(TARGET_COLUMNS)], ["model_id"])},
        drawn=attestation.drawn,
        attested_by=attestation.by,
    )


def _joined(path: Path, card: RegrownCard) -> RegrownCard:
    """A card with what an earlier one of the same zoo says, which is not written over."""
    if not path.exists():
        return card
    earlier = read_card(path)
    for name, told, stands in _said_twice(card, earlier):
        if told != stands:
            raise ResultError(
                f"{path} is about another {name} than what was verified now. Remove {path.parent}, and verify what "
                "stands there again."
            )
    return earlier.model_copy(
        update={"splits": earlier.splits | card.splits, "targets": earlier.targets | card.targets}
    )


def _said_twice(card: RegrownCard, earlier: RegrownCard) -> Iterator[tuple[str, object, object]]:
    for name in ("commitment", "recipe", "public", "regrown"):
        yield (
            {"public": "public zoo", "regrown": "re-grown zoo"}.get(name, name),
            getattr(card, name),
            getattr(earlier, name),
        )
    for name in card.splits.keys() & earlier.splits.keys():
        yield f"split {name}", card.splits[name], earlier.splits[name]
    for name in card.targets.keys() & earlier.targets.keys():
        yield f"question in {name}", card.targets[name], earlier.targets[name]


def _write(found: Verification, out: Path, results: Path) -> Path:
    """Predictions, then the gap, the record last."""
    record = found.records["regrown"]
    source = out / "regrown" / record.method.name / f"{found.task}.parquet"
    path = results / record.method.name / f"{found.task}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path.with_suffix(".parquet")) as temporary:
        shutil.copyfile(source, temporary)
    gap = GapRecord(
        method=record.method.name,
        source_hash=record.method.source_hash,
        task=found.task,
        metric=found.metric,
        public=found.scores["public"],
        regrown=found.scores["regrown"],
        refitted=found.scores["refitted"],
        gap=found.gap.estimate,
        predictions=record.provenance.predictions,
    )
    write_record(gap, gap_path(path), "gap")
    write_record(record, path, "result")
    return path
