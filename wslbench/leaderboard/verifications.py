"""Reading verified results: beside which public results they stand, and what is wrong with the rest.

On trust are taken the targets of the re-grown zoo's models alone, and the score of a method that was fit again there.
Scores are worked out again from predictions and targets, and so is the gap, against the public result that the board
shows. A verification of another zoo or another version of a method than the public result's is stale: it is named, and
not shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from wslbench.errors import ResultError, WslbenchError
from wslbench.evaluation.bootstrap import draw_resamples
from wslbench.evaluation.findings import estimate
from wslbench.evaluation.floors import committed_floors, stale_hashes
from wslbench.evaluation.gap import gap_draws, gap_of, headline_draws
from wslbench.evaluation.predictions import read_predictions
from wslbench.evaluation.record import SCORING_VERSION
from wslbench.evaluation.result_schema import Estimate, ResultRecord
from wslbench.evaluation.task_scorer import TaskScorer
from wslbench.evaluation.verified_files import (
    CARD,
    cards_in,
    gap_path,
    read_card,
    read_gap,
    read_targets,
    results_folder,
    targets_path,
)
from wslbench.evaluation.verified_schema import GapRecord, RegrownCard, ZooHashes
from wslbench.leaderboard.checked_before import CheckedBefore, Known, digest_of
from wslbench.leaderboard.checking import Entry, agree, checked, read_named
from wslbench.leaderboard.verified import Verified
from wslbench.population.seed_secret import SeedSecret
from wslbench.tasks import Task, TaskBook
from wslbench.tasks.regrown_problem import PublicAndRegrown, is_verifiable, problems_from_targets
from wslbench.zoo import Zoo


class Verifications:
    """Verified results, a task at a time.

    Parameters
    ----------
    folder
        Such as ``leaderboard/verified``; where it is None or not there, nothing is verified.
    cache
        Folder in which to remember which verifications stand.

    Attributes
    ----------
    problems
        What is wrong with those that are not shown.
    """

    def __init__(self, folder: Path | None, book: TaskBook, cache: Path | None) -> None:
        self.problems: list[str] = []
        self._cache = None if cache is None else cache / "verified"
        self._stale: dict[tuple[Path, str], list[str]] = {}
        self._cards: list[tuple[Path, RegrownCard]] = []
        if folder is None:
            return
        for path in cards_in(folder):
            try:
                self._cards.append((path, _sound(read_card(path))))
            except WslbenchError as error:
                self.problems.append(f"{path}: {error}")
        self._cards.sort(key=lambda each: each[1].drawn)
        self.problems += [
            f"{path}: there is no card {CARD} beside these results."
            for path in sorted(folder.glob("*/results"))
            if not (path.parent / CARD).is_file()
        ]
        self.problems += [
            f"{path}: there is no task {path.stem!r} (any more)."
            for card, _ in self._cards
            for path in _records(card, "*")
            if path.stem not in book.tasks
        ]

    @property
    def notes(self) -> list[str]:
        """What is not shown since it says nothing about the public results of today."""
        return [
            f"{place}: verification is stale: {why} ({_tasks(tasks)})." for (place, why), tasks in self._stale.items()
        ]

    def beside(
        self, task: Task, entries: Mapping[str, Entry], paths: Mapping[str, Path], zoos: Mapping[str, Zoo]
    ) -> list[Entry]:
        """A task's public results, each with its verification if one stands; the one of the latest secret.

        Parameters
        ----------
        entries, paths
            The results, and where they stand, by method.
        zoos
            The zoos of the results, by name.
        """
        verified: dict[str, Verified] = {}
        for path, card in self._cards:
            if card.zoo == task.zoo and (records := _records(path, task.id)):
                verified |= self._found(task, path, card, records, entries, paths, zoos.get(task.zoo))
        return [replace(entry, verified=verified.get(name)) for name, entry in entries.items()]

    def _found(
        self,
        task: Task,
        card_path: Path,
        card: RegrownCard,
        records: list[Path],
        entries: Mapping[str, Entry],
        paths: Mapping[str, Path],
        public: Zoo | None,
    ) -> dict[str, Verified]:
        found: dict[str, Verified] = {}
        if public is not None and (why := _moved_on(card, task, public)):
            self._is_stale(card_path, why, task)
            return found
        before = None
        for path in records:
            name = path.parent.name
            if public is None or name not in entries:
                self._is_stale(path.parent, "no public result of the method stands beside it", task)
                continue
            if before is None:
                before = CheckedBefore(self._cache, task, [public], results_folder(card_path))
                regrown = _RegrownTask(task, public, card_path, card)
            try:
                found[name] = _verified(regrown, path, entries[name].record, paths[name], before)
            except _StaleError as error:
                self._is_stale(path.parent, str(error), task)
            except WslbenchError as error:
                self.problems.append(f"{path}: {error}")
        if before is not None:
            before.save()
        return found

    def _is_stale(self, place: Path, why: str, task: Task) -> None:
        self._stale.setdefault((place, why), []).append(task.id)


class _StaleError(ResultError):
    """A verification that says nothing about the public result of today."""


class _Question(NamedTuple):
    problems: PublicAndRegrown
    scorer: TaskScorer


class _RegrownTask:
    """A task on a re-grown zoo; its problems are posed when the first result needs to be scored."""

    def __init__(self, task: Task, public: Zoo, card_path: Path, card: RegrownCard) -> None:
        self.task, self.card = task, card
        self.targets = targets_path(card_path, task.id)
        self.card_path = card_path
        self._public = public

    @cached_property
    def question(self) -> _Question:
        targets = read_targets(self.targets, self.card)
        hashes = self.card.regrown
        problems = problems_from_targets(
            self.task, self._public, targets, {"weights": hashes.weights, "annotations": hashes.annotations}
        )
        floors = committed_floors(problems.regrown, results_folder(self.card_path))
        return _Question(problems, TaskScorer(problems.regrown, floors))


def _verified(
    regrown: _RegrownTask, path: Path, public: ResultRecord, public_path: Path, before: CheckedBefore
) -> Verified:
    record, gap = read_named(path), read_gap(gap_path(path))
    if record.method.source_hash != public.method.source_hash:
        raise _StaleError("the public result is of another version of the method's file")
    digest = _digest(path, gap_path(path), regrown.targets, regrown.card_path, public_path)
    known = before.get(digest)
    if known is None:
        shown, known = _worked_out(regrown, record, gap, path, public_path)
        if shown == record:
            before.put(digest, known)
        record = shown
    return Verified(record, gap_of(known.draws, known.tail).estimate, gap.refitted, regrown.card)


def _worked_out(
    regrown: _RegrownTask, record: ResultRecord, gap: GapRecord, path: Path, public_path: Path
) -> tuple[ResultRecord, Known]:
    """The record by the rules of today, and its gap."""
    problems, scorer = regrown.question
    if stale := stale_hashes(record, scorer.hashes):
        raise _StaleError(f"it was made with another {' and '.join(stale)}")
    entry = checked(record, path, scorer, SCORING_VERSION, verified=True)
    answers, resamples = read_predictions(path.with_suffix(".parquet")), draw_resamples(problems.public)
    public_answers = read_predictions(public_path.with_suffix(".parquet"))
    public_answers = public_answers[public_answers["model_id"].isin(set(problems.public.model_ids))]
    seen = headline_draws(problems.public, public_answers, resamples)
    unseen = headline_draws(problems.regrown, answers, resamples)
    now = estimate(unseen, resamples.tail) if record.provenance.scoring == SCORING_VERSION else None
    _check_gap(gap, record, now)
    return entry.record, Known(gap_draws(record.task.headline, seen, unseen), resamples.tail, None)


def _check_gap(gap: GapRecord, record: ResultRecord, regrown: Estimate | None) -> None:
    """Whether a gap belongs to a record, and says what follows from its predictions."""
    about = gap.method, gap.source_hash, gap.task, gap.metric, gap.predictions
    method = record.method
    if about != (method.name, method.source_hash, record.task.id, record.task.headline, record.provenance.predictions):
        raise ResultError(f"the gap in {gap.method} on {gap.task} is not that of this result.")
    if regrown is not None and not agree(gap.regrown.model_dump(), regrown.model_dump()):
        raise ResultError("the gap beside it has another re-grown score than follows from its predictions.")


def _sound(card: RegrownCard) -> RegrownCard:
    """A card whose secret, where it is disclosed, is the one that it committed to."""
    if card.secret is not None and SeedSecret(card.secret.strip().encode()).commitment != card.commitment:
        raise ResultError("the secret that it discloses is not the one that it committed to.")
    return card


def _moved_on(card: RegrownCard, task: Task, public: Zoo) -> str:
    """Why a card says nothing about the public zoo of today; empty where it does."""
    if not is_verifiable(task):
        return "such a task cannot be verified"
    now = ZooHashes(**public.versions)
    stale = [name for name in ("weights", "annotations") if getattr(now, name) != getattr(card.public, name)]
    if task.protocol not in public.protocols or public.split(task.protocol).hash != card.splits.get(task.protocol):
        stale.append(f"split {task.protocol}")
    return f"the public zoo had another {' and '.join(stale)} then" if stale else ""


def _records(card: Path, task: str) -> list[Path]:
    return sorted(path for path in results_folder(card).glob(f"*/{task}.json") if not path.name.startswith("."))


def _digest(*paths: Path) -> str:
    return hashlib.sha256("".join(_hashes(paths)).encode()).hexdigest()


def _hashes(paths: tuple[Path, ...]) -> Iterator[str]:
    for path in paths:
        yield digest_of(path)


def _tasks(ids: list[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{len(ids)} tasks, {ids[0]} the first"
