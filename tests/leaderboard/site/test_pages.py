"""The pages as text: their numbers, their links, and what foreign texts can do to them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.leaderboard.site.conftest import HOSTILE, TASKS, Site
from wslbench.errors import ZooNotFoundError
from wslbench.leaderboard.columns import number, with_ends
from wslbench.leaderboard.export import board_data
from wslbench.leaderboard.site import write_site
from wslbench.leaderboard.site.addresses import addresses_of, file_names


class Page(HTMLParser):
    """Tags with their attributes, ids, and tables as text by label."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: set[str] = set()
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self._cell = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids |= {value for name, value in attrs if name == "id" and value}
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        self._cell = tag in ("td", "th") or (self._cell and tag not in ("svg", "table"))

    def handle_endtag(self, tag):
        if tag in ("td", "th", "svg"):
            self._cell = False

    def handle_data(self, data):
        self.text += data
        if self._cell:
            self.tables[-1][-1][-1] += data.strip()


def pages(site: Site) -> dict[str, Page]:
    return {path.relative_to(site.folder).as_posix(): Page(path) for path in sorted(site.folder.rglob("*.html"))}


def test_every_task_and_method_has_a_page(site: Site) -> None:
    names = set(pages(site))
    addresses = addresses_of(site.data["methods"], TASKS)
    assert names == {
        "index.html",
        *(f"methods/{name}" for name in addresses.methods.values()),
        *(f"tasks/{name}" for name in addresses.tasks.values()),
    }
    assert f"tasks/{TASKS[1]}.html" in names
    assert set(json.loads((site.folder / "site.json").read_text())["files"]) == {
        path.relative_to(site.folder).as_posix() for path in site.folder.rglob("*") if path.is_file()
    } - {"site.json"}


def test_numbers_of_a_task_are_those_of_the_board(site: Site) -> None:
    beyond = set()
    for task in site.data["tasks"]:
        heading, *rows = Page(site.folder / "tasks" / f"{task['id']}.html").tables[0]
        by_name = {row[1]: dict(zip(heading, row, strict=True)) for row in rows}
        for row in task["rows"]:
            shown = by_name[row["method"]]
            estimate = row["metrics"][task["headline"]]
            assert shown[heading[2]] == with_ends(*estimate[:3])
            assert shown["#"].rstrip("=") == ("–" if row["rank"] is None else str(row["rank"]))
            lift = row["lift"]
            assert shown["lift"] == ("–" if lift is None else with_ends(lift["value"], lift["low"], lift["high"]))
            assert shown["fit s"] == f"{row['cost']['fit_seconds']:.1f}"
            for protocol, name in (("new-load", "new load"), ("new-temperature", "new temp.")):
                if task["protocol"] == "phase-stratified" and protocol in row["elsewhere"]:
                    assert shown[name] == number(row["elsewhere"][protocol][0])
                    beyond.add(name)
        ordered = [name for name in (row[1] for row in rows) if name in {each["method"] for each in task["rows"]}]
        assert ordered == [row["method"] for row in task["rows"]]
    assert beyond


def test_ties_are_marked_where_ranks_are_shared(site: Site) -> None:
    marked = []
    for task in site.data["tasks"]:
        ranks = [row["rank"] for row in task["rows"] if row["rank"] is not None]
        shown = [row[0] for row in Page(site.folder / "tasks" / f"{task['id']}.html").tables[0][1:]]
        assert sorted(cell for cell in shown if cell != "–") == sorted(
            f"{rank}=" if ranks.count(rank) > 1 else str(rank) for rank in ranks
        )
        marked += [cell for cell in shown if "=" in cell]
    assert marked


def test_the_front_page_has_every_headline_and_mean_rank(site: Site) -> None:
    page = Page(site.folder / "index.html")
    aggregate, members = site.data["aggregates"]["default"], site.data["suites"]["default"]
    standings, headlines = page.tables[:2]
    ranks = {row[0]: row[1] for row in standings[1:]}
    assert {name: with_ends(*ends) for name, ends in aggregate["mean_rank"].items()}.items() <= ranks.items()
    tasks = [task for task in site.data["tasks"] if task["id"] in members]
    expected = {
        (row["method"], place): "failed" if row["status"] != "ok" else number(row["metrics"][task["headline"]][0])
        for place, task in enumerate(tasks)
        for row in task["rows"]
    }
    shown = {(row[0], place): text for row in headlines[1:] for place, text in enumerate(row[1:]) if text != "–"}
    assert shown == expected


def test_a_method_s_page_has_its_results_confusion_docstring_and_cost(site: Site) -> None:
    page = Page(site.folder / "methods" / "good.html")
    rows = {row[0]: row for row in page.tables[0][1:]}
    assert list(rows) == list(TASKS)
    confusions = [row["confusion"] for task in site.data["tasks"] for row in task["rows"] if row["method"] == "good"]
    counts = next(found for found in confusions if found)["counts"]
    shown = [[float(cell) for cell in row[1:]] for row in page.tables[1][1:]]
    assert shown == [[pytest.approx(count, abs=0.05) for count in row] for row in counts]
    assert "What it does." in page.text
    assert "In short." in page.text
    assert "changed since" in page.text  # the file is not the one that its results name
    assert any(tag == "svg" and attributes.get("class") == "points" for tag, attributes in page.tags)


def test_every_link_and_picture_leads_somewhere_within_the_site(site: Site) -> None:
    found = pages(site)
    seen = 0
    for name, page in found.items():
        for _, attributes in page.tags:
            for address in (attributes.get("href"), attributes.get("src")):
                if address is None:
                    continue
                parts = urlsplit(address)
                assert not parts.scheme
                assert not parts.netloc
                target = (site.folder / name).parent / unquote(parts.path) if parts.path else site.folder / name
                assert target.is_file(), f"{name}: {address}"
                if parts.fragment:
                    assert parts.fragment in found[target.resolve().relative_to(site.folder).as_posix()].ids
                seen += 1
    assert seen > 50


def test_nothing_is_fetched_from_elsewhere(site: Site) -> None:
    for path in site.folder.rglob("*"):
        if path.suffix in (".css", ".js"):
            assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(|XMLHttp", path.read_text().replace("*/", ""))
        if path.suffix == ".html":
            assert "default-src 'none'" in path.read_text()


def test_foreign_text_is_text(site: Site) -> None:
    for name, page in pages(site).items():
        assert [tag for tag, _ in page.tags if tag == "script"] == ["script"], name
        assert all(not key.startswith("on") for _, attributes in page.tags for key in attributes), name
        assert not [attributes for tag, attributes in page.tags if tag == "img" and "evil" in str(attributes)]
    index = pages(site)["index.html"].text
    assert "<img src=http://evil.example/x>" in index  # shown, as it was written
    assert "{{ 7*7 }}" in index
    assert HOSTILE in index


def test_no_control_or_bidirectional_character_gets_through(site: Site) -> None:
    for path in site.folder.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            assert all(sign.isprintable() or sign == "\n" for sign in text), path


def test_failures_problems_and_notes_are_named(site: Site) -> None:
    found = pages(site)
    assert "slow, timeout" in found[f"tasks/{TASKS[0]}.html"].text
    assert f"{TASKS[0]}, timeout" in found["methods/slow.html"].text
    assert "broken: " in found["index.html"].text
    assert "note: " in found["index.html"].text


def test_what_is_gone_is_removed_and_what_is_foreign_stays(site: Site, tmp_path: Path) -> None:
    def write(board) -> None:
        write_site(
            board, board_data(board), tmp_path, suite="default", open_zoo=lambda name: site.zoo, methods=site.methods
        )

    write(site.board)
    (tmp_path / "methods" / "mine.html").write_text("of someone else")
    record = json.loads((tmp_path / "site.json").read_text())
    (tmp_path.parent / "outside.html").write_text("outside")
    record["files"] += ["../outside.html", "methods/../../outside.html", "notes.txt"]
    (tmp_path / "site.json").write_text(json.dumps(record))
    (tmp_path / "notes.txt").write_text("notes")
    fewer = [
        replace(each, entries=[entry for entry in each.entries if entry.record.method.name != "bad"])
        for each in site.board.tasks
        if each.task.id != TASKS[1]
    ]
    write(replace(site.board, tasks=fewer))
    assert not (tmp_path / "methods" / "bad.html").exists()
    assert not (tmp_path / "tasks" / f"{TASKS[1]}.html").exists()
    assert (tmp_path / "methods" / "good.html").exists()
    for path in (tmp_path / "methods" / "mine.html", tmp_path / "notes.txt", tmp_path.parent / "outside.html"):
        assert path.exists()


def test_a_zoo_that_cannot_be_opened_takes_no_page_down(site: Site, tmp_path: Path) -> None:
    def absent(name: str):
        raise ZooNotFoundError(f"there is no zoo {name}")

    write_site(site.board, site.data, tmp_path, suite="default", open_zoo=absent, methods=tmp_path)
    page = Page(tmp_path / "index.html")
    assert "no diagram: there is no zoo" in page.text
    assert "img" not in {tag for tag, _ in page.tags}


@pytest.mark.parametrize("name", ["../../etc/passwd", ".hidden", "", "a/b", "CON.", "é" * 300, "x\u202ey", "\ud800"])
def test_any_name_gets_a_file_of_its_own_inside_the_folder(name: str) -> None:
    (file,) = file_names([name], "html").values()
    assert re.fullmatch(r"[A-Za-z0-9_@-][A-Za-z0-9_@~-]*\.html", file)
    assert len(file) < 130


def test_names_that_differ_in_case_alone_get_different_files() -> None:
    files = file_names(["Foo", "foo", "bar", "a b", "a-b"], "html")
    assert len({file.lower() for file in files.values()}) == 5
    assert files["bar"] == "bar.html"
    assert files == file_names(["a-b", "bar", "foo", "Foo", "a b"], "html")
