"""What pages are made of: a method's own words, bars, pictures, and the page of a task that asks for weights."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from wslbench.bundled import bundled_path
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.result_files import read_record
from wslbench.leaderboard.board import Board, TaskBoard
from wslbench.leaderboard.checking import Entry
from wslbench.leaderboard.columns import number
from wslbench.leaderboard.export import board_data
from wslbench.leaderboard.site.addresses import addresses_of
from wslbench.leaderboard.site.bars import Scale, bar, scale_of
from wslbench.leaderboard.site.points import SIDE, predicted_against_true
from wslbench.leaderboard.site.scatter import Axis, Place, scatter
from wslbench.leaderboard.site.source import source_of
from wslbench.leaderboard.site.task_page import task_page
from wslbench.leaderboard.standings import standings
from wslbench.tasks import load_tasks

METHOD = '''"""A module of ``words``.

Two things:

* one
  of them;
* the ``other``.
"""


class Mine:
    """One line that the page has.

    More.

    Attributes
    ----------
    hidden
        Not shown.
    """
'''


def test_a_method_s_words_are_read_up_to_its_sections_and_never_run(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(METHOD + "raise SystemExit\n")
    version = read_method_file(tmp_path / "mine.py").hash
    found = source_of(tmp_path, "mine.py", "Mine", version, known="One line that the page has.")
    assert found is not None
    assert found.same
    assert [(each.is_list, each.texts) for each in found.paragraphs] == [
        (False, [["A module of ", "words", "."]]),
        (False, [["Two things:"]]),
        (True, [["one\n  of them;"], ["the ", "other", "."]]),
        (False, [["More."]]),
    ]
    assert not source_of(tmp_path, "mine.py", "Mine", "another").same


@pytest.mark.parametrize("file", ["absent.py", "../outside.py", "sub/inside.py", "broken.py", ""])
def test_what_is_no_method_s_file_has_no_words(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "methods"
    (folder / "sub").mkdir(parents=True)
    for name in ("sub/inside.py", "../outside.py"):
        (folder / name).write_text(METHOD)
    (folder / "broken.py").write_text("def (")
    assert source_of(folder, file, "Mine", "") is None


def test_a_bar_has_its_line_from_low_to_high_its_dot_and_its_reference() -> None:
    drawn = bar((0.5, 0.25, 1.0), Scale(0.0, 1.0, 0.0))
    assert drawn == (
        '<svg class="bar" aria-hidden="true"><path class="ref" d="M4 0v12"/><path d="M26 6H92"/>'
        '<path class="dot" d="M48 6h0"/></svg>'
    )
    assert bar((None, None, None), Scale(0.0, 1.0)) is None
    assert bar((float("nan"), 0.0, 1.0), Scale(0.0, 1.0)) is None


def test_one_wild_interval_leaves_room_for_the_others() -> None:
    estimates = [(value, value - 0.1, value + 0.1) for value in np.linspace(0, 1, 20)]
    plain, wild = scale_of(estimates), scale_of([*estimates, (0.5, -1e5, 1e5)])
    assert (plain.low, plain.high) == (-0.1, 1.1)
    assert wild.high - wild.low < 5
    assert scale_of([(None, None, None)]) is None
    assert scale_of([(0.0, 0.0, 0.0)]) == Scale(-0.5, 0.5)


def test_points_lie_where_they_should_whatever_their_order() -> None:
    true, said = [0.0, 1.0, 0.5, float("nan")], [0.0, 1.0, 99.0, 0.0]
    asked = {"x": true, "y": said, "phase": [0, 0, 0, 0]}
    one = {"x": [0.0], "y": [1.0], "phase": [0]}
    huge = {"x": [-1e308, 1e308, 0.0], "y": [0.0, 0.0, 0.0], "phase": [0, 1, 0]}
    drawn, nothing, endless, again = predicted_against_true([asked, one, huge, asked], 'a "label"', 5)
    assert nothing is None
    assert endless is None
    assert again == drawn
    (path,) = re.findall(r'class="p0" d="([^"]+)"', drawn)
    x = y = 0
    places = []
    for right, down in re.findall(r"m(-?\d+) ?(-?\d+)h0", path):
        x, y = x + int(right), y + int(down)
        places.append((x, y))
    assert len(places) == 3
    assert places == sorted(places)
    assert places[1][1] == min(place[1] for place in places) > 0  # far off: at the upper edge
    assert places[0][0] + places[0][1] == SIDE  # on the diagonal
    assert 'aria-label="a &#34;label&#34;"' in drawn
    (other,) = predicted_against_true([{**asked, "phase": [7, -1, 2, 0]}], "", 5)
    assert re.findall(r'class="(p\w)"', other) == ["pn", "p2"]


def test_names_in_a_plane_do_not_cover_one_another() -> None:
    places = [Place(f"method {number}", 10.0 + number / 10, 0.5, link="x") for number in range(30)]
    drawn = scatter(places, Axis("cost", log=True), Axis("score"), "label")
    assert drawn.count("<circle") == 30
    texts = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="\w+">method', drawn)
    assert 1 < len(texts) < 30
    assert len(set(texts)) == len(texts)
    assert scatter([Place("free", 0.0, 1.0)], Axis("cost", log=True), Axis("score"), "label") is None


def test_a_task_that_asks_for_weights_has_a_table_of_its_own() -> None:
    task = load_tasks()["digits-cnn-seeds.generate-I"]
    records = [read_record(path) for path in sorted(bundled_path("results").glob(f"*/{task.id}.json"))]
    random = np.random.default_rng(0)
    lifts = [np.nan if (value := record.metrics["lift"].value) is None else value for record in records]
    entries = [
        Entry(record, lift + np.r_[0, random.normal(size=50)], 0.025)
        for record, lift in zip(records, lifts, strict=True)
    ]
    board = Board([TaskBoard(task, entries, standings(entries))], {"generation": [task.id]})
    data = board_data(board)
    page = task_page(board.tasks[0], data, data["tasks"][0], addresses_of(data["methods"], [task.id]).one_down())
    headings = re.findall(r'<span class="sort">([^<]+)</span>', page)
    assert {"lift ↑", "accuracy ↑", "novelty ↑", "diversity ↑", "phase fidelity ↑"} <= set(headings)
    assert "drop perm. · scal." not in headings
    for record in records:
        assert f"<td>{number(record.metrics['novelty'].value)}</td>" in page
    assert "Accuracy against novelty" in page
    assert "<h2>Comparators</h2>" in page
