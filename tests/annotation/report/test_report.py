"""The written report: its page against its record, what it refuses, what it escapes, and what it copes with."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tests.annotation.report.zoos import card_of, make_annotated_zoo, zoo_by_hand
from wslbench.annotation.report import files, write_report
from wslbench.cli.zoo import app
from wslbench.errors import ZooDamagedError, ZooError, ZooFormatError, ZooNotFoundError
from wslbench.landscape import PHASES
from wslbench.zoo import Axis, embedded_zoos, load_zoo

RUNNER = CliRunner()
EVIL = '<img src=x onerror=alert(1)> & "quoted" $\\frac{1$ \x1b[31m\u202e'
LOW, HIGH = [0.001] * 3, [0.3] * 3


class Page(HTMLParser):
    """What a browser would see: text by section, tables as rows of texts, tags, and every address."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.alts: list[str] = []
        self.ids: list[str] = []
        self.texts: dict[str, str] = {}
        self.tables: dict[str, list[list[list[str]]]] = {}
        self._section = ""
        self._in_cell = False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.addresses += [given[name] for name in ("href", "src", "srcset") if given.get(name)]
        self.ids += [given["id"]] if "id" in given else []
        if tag == "img":
            self.alts.append(given["alt"])
        if tag in ("section", "h3") and "id" in given:
            self._section = given["id"]
        if tag == "table":
            self.tables.setdefault(self._section, []).append([])
        elif tag == "tr":
            self.tables[self._section][-1].append([])
        elif tag in ("td", "th"):
            self.tables[self._section][-1][-1].append("")
            self._in_cell = True

    def handle_data(self, data):
        self.texts[self._section] = self.texts.get(self._section, "") + data
        if self._in_cell:
            self.tables[self._section][-1][-1][-1] += data.strip()

    def handle_endtag(self, tag):
        self._in_cell &= tag not in ("td", "th")

    def body(self, section: str, number: int = 0) -> list[list[str]]:
        """Rows of a table below its heading."""
        return self.tables[section][number][1:]


def record_of(folder: Path):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def whole(folder: Path) -> None:
    """Every file that the record names is there, and no other; the page and its figures can be read."""
    assert {path.name for path in folder.iterdir()} == set(record_of(folder)["files"])
    page = Page(folder / "index.html")
    assert len(page.ids) == len(set(page.ids))
    for address in page.addresses:
        if address.startswith("#"):
            assert address[1:] in page.ids
        else:
            assert (folder / address).is_file()
    assert all(len(alt) > 40 for alt in page.alts)
    assert "script" not in page.tags
    for figure in folder.glob("*.svg"):
        ElementTree.parse(figure)


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("annotated")
    make_annotated_zoo(folder / "zoo")
    return folder / "zoo"


@pytest.fixture(scope="module")
def report(annotated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report that tests only read."""
    folder = tmp_path_factory.mktemp("report") / "out"
    write_report(load_zoo(annotated), folder)
    return folder


def test_the_report_is_whole(report):
    whole(report)
    assert list(report.parent.iterdir()) == [report]


def test_the_page_needs_nothing_from_elsewhere(report):
    text = (report / "index.html").read_text(encoding="utf-8")
    assert not re.findall(r"(?:https?:)?//[a-z]", text)
    assert "@import" not in text
    assert "url(" not in text


def test_counts_on_the_page_are_those_of_the_record(report):
    page, record = Page(report / "index.html"), record_of(report)
    head = record["head"]
    grid, finished, certain = page.body("summary")
    assert grid == ["of the grid", *[str(head["cells"][p]) for p in PHASES], str(head["unlabelled"]), "16"]
    assert finished[1:6] == [str(head["finished"][p]) for p in PHASES]
    assert certain[1:6] == [str(head["certain"][p]) for p in PHASES]
    assert sum(head["cells"].values()) == 15
    assert head["dead"] == head["unfinished"] == 1
    for caution in record["summary"]:
        assert caution["text"] in page.texts["summary"]


def test_the_thresholds_on_the_page_are_those_of_the_record(report):
    page, record = Page(report / "index.html"), record_of(report)
    for number, name in enumerate(("epsilon", "noise")):
        for shown, row in zip(page.body("epsilon", number)[1:], record["thresholds"][name], strict=True):
            anew, frozen = row["refitted"], row["frozen"]
            assert float(shown[0]) == row["value"]
            assert [int(text) for text in shown[1:7]] == [*anew["counts"].values(), anew["changed"]]
            assert float(shown[7]) == pytest.approx(anew["cutoffs"]["cka"], abs=5e-4)
            assert [int(text) for text in shown[8:]] == [*frozen["counts"].values(), frozen["changed"]]


def test_confusions_seeds_and_checks_on_the_page_are_those_of_the_record(report):
    page, record = Page(report / "index.html"), record_of(report)
    tables = {kind: record["kinds"][kind]["confusion"] for kind in ("longer", "linear", "aligned", "test")}
    tables["former"] = record["former"]["confusion"]
    for section, confusion in tables.items():
        rows = {row[0]: [int(text) for text in row[1:]] for row in page.body(section)}
        assert rows == {label: list(counts.values()) for label, counts in confusion.items()}
    assert tables["former"]["I"]["II"] == 1
    for kind in ("longer", "linear", "aligned", "test"):
        told = f"{record['kinds'][kind]['changed']} of {record['kinds'][kind]['cells']} labels change"
        assert told in page.texts[kind]
    (row,) = page.body("seeds")
    assert row[2] == f"{100 * record['seeds']['rows'][0]['agreement']:.0f} %"
    shown = {row[0]: (int(row[2]), int(row[3])) for row in page.body("health")}
    assert shown == {check["matter"]: (check["failed"], check["missing"]) for check in record["health"]["checks"]}
    assert shown["residual of the top eigenvalue (test) above its tolerance"][0] == 4
    for row, evidence in zip(page.body("cutoffs"), ("train_loss", "cka", "mode_connectivity"), strict=True):
        found = record["cutoffs"][evidence]
        assert row[6] == f"{found['separability']:.3f}"
        assert row[8] == found["verdict"]


def test_doubtful_cells_are_listed_with_values_and_reason(report):
    page, record = Page(report / "index.html"), record_of(report)
    rows = {row[0]: row for row in page.body("diagram")}
    doubtful = [cell for cell in record["cells"] if cell["marks"]]
    assert list(rows) == [cell["cell_id"] for cell in doubtful]
    assert rows["w2-lr0.3"][1:4] == ["–", "–", "dead: a run of it is dead or diverged"]
    later = record["cells"][[cell["cell_id"] for cell in record["cells"]].index("w4-lr0.01")]
    assert "unfinished" in later["marks"]
    assert rows["w4-lr0.01"][1] == f"{later['phase']} → {later['continued_phase']}"
    value, error = rows["w4-lr0.01"][5].replace("−", "-").split(" ± ")
    assert float(value) == pytest.approx(later["mode_connectivity"]["value"], abs=5e-3)
    assert float(error) == 0.5


def test_cells_csv_has_every_quantity_with_its_error(report, annotated):
    table = pd.read_csv(report / "cells.csv").set_index("cell_id")
    zoo = load_zoo(annotated)
    cells = zoo.cells.set_index("cell_id").loc[table.index]
    names = ["train_loss", "mode_connectivity", "cka", "hessian_trace", "hessian_top_eigenvalue_test", "test_loss"]
    for name in names:
        np.testing.assert_allclose(table[name], cells[name])
        assert f"{name}_se" in table
    spread = zoo.table.groupby("cell_id")["train_loss"].std(ddof=1).loc[table.index]
    np.testing.assert_allclose(table["train_loss_se"], spread / 2)
    line = zoo.pairs[zoo.pairs["epoch"] == 10].groupby("cell_id")["linear_connectivity"].mean()
    np.testing.assert_allclose(table["linear_connectivity"], line.loc[table.index])
    assert len(pd.read_csv(report / "health.csv")) == len(record_of(report)["health"]["notes"])


def test_figures_come_in_both_colourings_with_their_text(report):
    light, dark = ((report / f"phase-diagram{name}.svg").read_text(encoding="utf-8") for name in ("", "-dark"))
    assert light != dark
    texts = [
        "".join(node.itertext()) for node in ElementTree.fromstring(light).iter("{http://www.w3.org/2000/svg}text")
    ]
    head = record_of(report)["head"]
    assert {phase: texts.count(phase) for phase in PHASES} == head["cells"]
    assert texts.count("×") == 1
    assert any(text.startswith("→III") for text in texts)
    for column in ("hessian-trace-test", "linear-connectivity", "longer-mode-connectivity", "test-mode-connectivity"):
        assert (report / f"map-{column}.svg").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", embedded_zoos())
def test_embedded_zoos_have_a_whole_report(name, tmp_path):
    contents = write_report(load_zoo(name), tmp_path / "out")
    whole(tmp_path / "out")
    cells = load_zoo(name).table.query("measured")["cell_id"].nunique()
    assert contents.head.agreeing == contents.head.compared > 0.8 * cells
    page = Page(tmp_path / "out" / "index.html")
    assert len(page.body("cells")) == contents.head.total


def test_everything_foreign_is_escaped(annotated, tmp_path):
    zoo = load_zoo(annotated)
    card = zoo.card
    axes = {
        name: Axis(column=axis.column, label=EVIL, values=axis.values)
        for name, axis in (("load", card.load), ("temperature", card.temperature))
    }
    former = {"annotation_version": 1, "confusion": {EVIL: {EVIL: 3}}, "changed": {}}
    rule = (card.phase_rule or {}) | {"rule": EVIL, "former": former}
    changes = dict.fromkeys(("description", "licence", "citation", "modality", "content_version"), EVIL)
    recipe = {"hessian": {EVIL: EVIL}}
    # No card on disk may hold escape codes; the report does not rely on that.
    zoo.card = card.model_copy(
        update={
            **changes,
            **axes,
            "phase_rule": rule,
            "software": {EVIL: EVIL},
            "recipe": recipe,
            "annotation": {EVIL: [EVIL]},
        }
    )
    write_report(zoo, tmp_path / "out")
    whole(tmp_path / "out")
    page = Page(tmp_path / "out" / "index.html")
    assert "x" not in page.addresses
    for path in (tmp_path / "out").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "\x1b" not in text
        assert "\u202e" not in text
        if path.suffix in (".html", ".svg"):
            assert "<img src=x" not in text
    assert page.texts["former"].count('<img src=x onerror=alert(1)> & "quoted" $\\frac{1$') == 2
    assert "<img src=x onerror" in (tmp_path / "out" / "phase-diagram.svg").read_text(encoding="utf-8").replace(
        "&lt;", "<"
    )


def test_cells_of_foreign_names_are_no_markup_and_no_formula(tmp_path):
    cells = [
        {"loss": LOW, "mc": 0.0, "cka": 0.9, "cell_id": "=1+1"},
        {"loss": LOW, "mc": -9.0, "cka": 0.8, "cell_id": "<b>bold</b>\x1b[0m", "dead": True},
    ]
    write_report(zoo_by_hand(cells), tmp_path / "out")
    whole(tmp_path / "out")
    assert list(pd.read_csv(tmp_path / "out" / "cells.csv")["cell_id"]) == ["'=1+1", "<b>bold</b>�[0m"]
    assert "<b>bold" not in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


NOTHING_MORE = {"loss": LOW, "mc": 0.0, "cka": 0.9}


@pytest.mark.parametrize(
    ("cells", "changes", "told"),
    [
        ([NOTHING_MORE], {"phase_rule": None}, ("epsilon", "allows for no cut-offs")),
        ([NOTHING_MORE], {}, ("bootstrap", "no phase probabilities")),
        ([NOTHING_MORE], {}, ("hessian", "no Hessian traces")),
        ([NOTHING_MORE], {}, ("longer", "not checked")),
        ([NOTHING_MORE], {}, ("former", "keeps no former labels")),
        ([NOTHING_MORE], {}, ("health", "No run stands out")),
        ([NOTHING_MORE | {"phase": "IV-B"}], {}, ("diagram", "every cell has a phase")),
        ([NOTHING_MORE | {"dead": True}] * 3, {}, ("summary", "No cell of this zoo has a phase")),
        ([NOTHING_MORE | {"dead": True}] * 3, {"phase_rule": None}, ("summary", "The rule cannot be applied")),
        ([{"loss": [0.1], "mc": 0.0, "cka": 0.0}] * 2, {}, ("diagram", "one seed: connectivity and CKA compare two")),
        ([NOTHING_MORE | {"runs": {"hessian_trace": -1.0}}] * 2, {}, ("hessian", "no Hessian traces to compare")),
        ([{"loss": [np.nan] * 3, "mc": np.nan, "cka": np.nan}], {}, ("maps", "no order parameters")),
    ],
)
def test_what_a_zoo_lacks_is_said(cells, changes, told, tmp_path):
    loads = [float(number) for number in range(1, len(cells) + 1)]
    write_report(zoo_by_hand(cells, card_of(loads, [0.1], **changes)), tmp_path / "out")
    whole(tmp_path / "out")
    section, words = told
    assert words in Page(tmp_path / "out" / "index.html").texts[section]


def test_cells_off_the_cards_grid_are_not_drawn_but_listed(tmp_path):
    zoo = zoo_by_hand([NOTHING_MORE, NOTHING_MORE], card_of([1.0], [0.1]))
    write_report(zoo, tmp_path / "out")
    whole(tmp_path / "out")
    assert [row[0] for row in Page(tmp_path / "out" / "index.html").body("cells")] == ["c1", "c2"]


def test_an_earlier_report_is_replaced_as_a_whole(report, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(report, out)
    before = set(out.iterdir())
    write_report(zoo_by_hand([NOTHING_MORE]), out)
    whole(out)
    assert set(out.iterdir()) < before
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_with_anything_else_is_refused_and_left_alone(tmp_path):
    out = tmp_path / "out"
    zoo = zoo_by_hand([NOTHING_MORE])
    write_report(zoo, out)
    (out / "notes.txt").write_text("mine")
    kept = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ZooError, match=r"'notes\.txt', which belongs to no report"):
        write_report(zoo, out)
    assert {path: path.read_bytes() for path in out.iterdir()} == kept
    ours = '{"kind": "wslbench phase report", "files": ["../out/report.json", 3]}'
    for number, content in enumerate(("{}", "[]", "no json", ours)):
        other = tmp_path / f"other{number}"
        other.mkdir()
        (other / "report.json").write_text(content)
        with pytest.raises(ZooError, match=r"report\.json"):
            write_report(zoo, other)
    (tmp_path / "file").write_text("text")
    with pytest.raises(ZooError, match="is a file"):
        write_report(zoo, tmp_path / "file")
    with pytest.raises(ZooError, match="cannot be"):
        write_report(zoo, tmp_path / "file" / "below")


def test_a_failure_leaves_what_stood_there(report, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(report, out)
    kept = {path.name: path.read_bytes() for path in out.iterdir()}
    rename = Path.rename

    def full_disk(self, target):
        if self.name == "fresh":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full_disk)
    with pytest.raises(ZooError, match="No space left on device"):
        write_report(zoo_by_hand([NOTHING_MORE]), out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == kept
    assert list(tmp_path.iterdir()) == [out]


def test_a_place_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files.tempfile, "mkdtemp", refuse)
    with pytest.raises(ZooError, match="out cannot be written: Permission denied"):
        write_report(zoo_by_hand([NOTHING_MORE]), tmp_path / "out")


def test_the_command_line_gives_the_same_bytes(report, annotated, tmp_path):
    out = tmp_path / "deep" / "out"
    result = RUNNER.invoke(app, ["report", str(annotated), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert result.output.startswith("annotated: 16 cells (I 2, II 6,")
    assert result.output.rstrip().endswith("index.html")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in report.iterdir()
    }


def test_an_unknown_zoo_and_a_damaged_one_leave_nothing(annotated, tmp_path):
    out = tmp_path / "out"
    unknown = RUNNER.invoke(app, ["report", "nonsense", "--out", str(out)])
    assert isinstance(unknown.exception, ZooNotFoundError)
    shutil.copytree(annotated, tmp_path / "zoo")
    (tmp_path / "zoo" / "pairs.parquet").write_bytes(b"gone")
    damaged = RUNNER.invoke(app, ["report", str(tmp_path / "zoo"), "--out", str(out)])
    assert isinstance(damaged.exception, ZooDamagedError)
    assert not out.exists()


@pytest.mark.parametrize("evil", ["\x1b[31mred", "turned \u202e round", "bell\x07", "\x9b31m"])
def test_no_zoo_is_written_with_a_card_that_holds_escape_codes(evil, tmp_path):
    with pytest.raises(ZooFormatError, match="control characters"):
        make_annotated_zoo(tmp_path / "zoo", citation=evil)


def test_a_card_may_hold_line_breaks_and_every_script(tmp_path):
    text = "two\nlines\tand a tab, caf\u00e9\u00a0\u2009\u6a21\u578b \u0646\u0645\u0648\u0630\u062c"
    zoo = make_annotated_zoo(tmp_path / "zoo", citation=text)
    assert load_zoo(zoo.path).card.citation == text
