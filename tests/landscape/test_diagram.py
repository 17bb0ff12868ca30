"""The diagram of a zoo: what is drawn where, that it is read without colour, and what is refused."""

import itertools
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from typer.testing import CliRunner

from wslbench.cli.zoo import app
from wslbench.errors import LandscapeError, ZooError
from wslbench.landscape import PHASES
from wslbench.landscape.diagram import PARAMETERS, draw_diagram
from wslbench.landscape.order_maps import ORDER_MAPS
from wslbench.landscape.panels import PHASE_COLOURS, draw_map, draw_phases
from wslbench.zoo import Axis, load_zoo

RUNNER = CliRunner()
MAPS = {order_map.column: order_map for order_map in ORDER_MAPS}


def made_up(loads, temperatures, cutoffs=None, **columns):
    """A zoo as far as the diagram looks at it; columns are grids, a row a temperature from cold to hot."""
    places = list(itertools.product(temperatures, loads))
    cells = pd.DataFrame(places, columns=["rate", "width"])
    for name, grid in columns.items():
        cells[name] = np.asarray(grid, dtype=object if name == "phase" else None).ravel()
    card = SimpleNamespace(
        load=Axis(column="width", label="width", values=loads),
        temperature=Axis(column="rate", label="learning rate", values=temperatures),
        phase_rule=None if cutoffs is None else {"cutoffs": cutoffs},
    )
    cells = cells.sample(frac=1, random_state=0)  # a table's order tells nothing
    return SimpleNamespace(name="made-up", card=card, cells=cells)


def panel(draw, zoo, **options):
    axes = Figure().subplots()
    draw(axes, zoo.card, zoo.cells, **options)
    return axes


def written(axes):
    """Text by place: (column, row) from the lower left."""
    return {(int(text.get_position()[0]), int(text.get_position()[1])): text.get_text() for text in axes.texts}


def grey(colour):
    return float(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)))


def line_of(axes):
    """The edges of the line of a cut-off."""
    segments = axes.collections[-1].get_segments() if axes.collections else []
    return {tuple(map(tuple, segment.tolist())) for segment in segments}


@pytest.fixture
def figures(monkeypatch):
    """Every figure that is saved."""
    seen = []
    original = Figure.savefig

    def recording(self, *arguments, **options):
        seen.append(self)
        return original(self, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", recording)
    return seen


def test_svg_names_axes_every_phase_and_every_quantity(built_tiny_zoo, tmp_path):
    zoo = load_zoo(built_tiny_zoo)
    drawn = draw_diagram(zoo, tmp_path / "phases.svg")
    assert drawn == [name for name in PARAMETERS if name != "relative_l2_error"]
    text = (tmp_path / "phases.svg").read_text()
    assert text.count(f"{zoo.card.load.label} (load)") == len(drawn)
    assert text.count(f"{zoo.card.temperature.label} (temperature)") == len(drawn)
    for phase, count in zoo.cells["phase"].value_counts().items():
        assert text.count(f">{phase}</text>") == count
    for name in drawn[1:]:
        assert MAPS[name].title in text
    assert list(tmp_path.iterdir()) == [tmp_path / "phases.svg"]
    draw_diagram(zoo, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_text() == text


def test_every_value_stands_in_its_cell_with_heat_upwards_and_load_to_the_right():
    zoo = made_up([2, 4, 8], [0.1, 0.3], mode_connectivity=[[-5, -2, 0.5], [np.nan, 12, np.inf]])
    axes = panel(draw_map, zoo, order_map=MAPS["mode_connectivity"])
    assert written(axes) == {(0, 0): "−5.0", (1, 0): "−2.0", (2, 0): "+0.5", (1, 1): "+12"}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "4", "8"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0.1", "0.3"]
    assert axes.get_ylim() == (-0.5, 1.5)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("width (load)", "learning rate (temperature)")


def test_a_place_without_a_cell_stays_blank():
    zoo = made_up([2, 4], [0.1, 0.3], cka=[[0.1, 0.2], [0.3, 0.4]], phase=[["I", "II"], [None, "IV-B"]])
    zoo.cells = zoo.cells[zoo.cells["cka"] != 0.2]
    assert written(panel(draw_map, zoo, order_map=MAPS["cka"])) == {(0, 0): ".10", (0, 1): ".30", (1, 1): ".40"}
    assert written(panel(draw_phases, zoo)) == {(0, 0): "I", (1, 1): "IV-B"}


def test_doubtful_and_unfinished_phases_are_marked():
    zoo = made_up(
        [2, 4],
        [0.1, 0.3],
        phase=[["I", "II"], ["III", "IV-A"]],
        phase_probability=[[0.9, 0.7], [0.8, 0.2]],
        unfinished=[[False, True], [True, False]],
    )
    axes = panel(draw_phases, zoo)
    italics = {text.get_text() for text in axes.texts if text.get_style() == "italic"}
    assert italics == {"II", "IV-A"}
    struck = {(round(np.mean(line.get_xdata())), round(np.mean(line.get_ydata()))) for line in axes.lines}
    assert struck == {(1, 0), (0, 1)}
    assert "I 1, II 0, III 0, IV-A 1, IV-B 0" in axes.get_title()


def test_phases_differ_in_grey():
    greys = [grey(PHASE_COLOURS[phase]) for phase in PHASES]
    assert np.all(np.diff(greys) > 0.07)
    assert greys[0] > 0.4  # black text stays readable
    assert 1 - greys[-1] > 0.05  # and a cell without a phase looks empty


@pytest.mark.parametrize("name", list(MAPS))
def test_a_map_printed_in_grey_keeps_its_order_and_its_text(name):
    values = np.geomspace(0.01, 0.9, 12)
    values = values - 0.3 if name in ("mode_connectivity", "hessian_trace") else values
    axes = panel(draw_map, made_up(list(range(12)), [1], **{name: [values]}), order_map=MAPS[name])
    image = axes.images[0]
    greys = [grey(colour[:3]) for colour in image.to_rgba(image.get_array())[0]]
    assert np.all(np.diff(greys) > 0)
    for text in axes.texts:
        assert abs(grey(text.get_color()) - greys[int(text.get_position()[0])]) > 0.35


def test_the_line_parts_cells_at_the_cut_off():
    zoo = made_up([2, 4], [0.1, 0.3], {"train_loss": 0.1, "cka": 9.0}, train_loss=[[0.5, 0.1], [0.05, 0.2]])
    axes = panel(draw_map, zoo, order_map=MAPS["train_loss"])
    assert line_of(axes) == {((-0.5, 0.5), (0.5, 0.5)), ((0.5, 0.5), (0.5, 1.5))}  # around the cell of .05
    assert "cut-off" in axes.get_title()
    zoo.cells["cka"] = 0.5
    assert "cut-off" not in panel(draw_map, zoo, order_map=MAPS["cka"]).get_title()
    zoo.card.phase_rule = {"text": "drawn by hand"}
    assert line_of(panel(draw_map, zoo, order_map=MAPS["train_loss"])) == set()


def test_the_cut_off_of_connectivity_allows_for_noise():
    zoo = made_up(
        [2, 4, 8],
        [0.1],
        {"mode_connectivity": -2.0},
        mode_connectivity=[[-3, -3, -1]],
        connectivity_tolerance=[[3.5, 0.5, 0.5]],
    )
    edges = line_of(panel(draw_map, zoo, order_map=MAPS["mode_connectivity"]))
    assert edges == {((0.5, -0.5), (0.5, 0.5)), ((1.5, -0.5), (1.5, 0.5))}


@pytest.mark.parametrize("values", [[[-3.0, 0.0, 5e5]], [[7.0, 7.0, 7.0]], [[0.0, 0.0, 0.0]], [[np.nan, 2.0, -1.0]]])
def test_any_hessian_can_be_drawn(values, tmp_path):
    draw_diagram(made_up([1, 2, 3], [1], hessian_trace=values), tmp_path / "trace.png")


def test_a_grid_of_twenty_by_twenty_is_readable(tmp_path, figures):
    random = np.random.default_rng(0)
    loads = [round(1.6**i + 2 * i) for i in range(20)]
    rates = [round(0.001 * 1.45**i, 5) for i in range(20)]
    zoo = made_up(
        loads,
        rates,
        phase=random.choice(PHASES, (20, 20)),
        mode_connectivity=random.normal(0, 30, (20, 20)),
        hessian_trace=-np.exp(random.normal(5, 3, (20, 20))),
    )
    draw_diagram(zoo, tmp_path / "large.png")
    for axes in figures[0].axes[:3]:
        assert len(axes.texts) == 400
        cell = axes.get_window_extent().width / 20
        assert max(text.get_window_extent().width for text in axes.texts) < cell
        names = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(names))
        heights = [label.get_window_extent() for label in axes.get_yticklabels()]
        assert all(lower.y1 < upper.y0 for lower, upper in itertools.pairwise(heights))


def test_a_zoo_without_phases_gets_its_maps(tmp_path):
    zoo = made_up([1, 2], [1, 2], phase=[[None, None], [None, None]], cka=[[0.1, 0.2], [0.3, 0.4]])
    assert draw_diagram(zoo, tmp_path / "maps.png") == ["cka"]


@pytest.mark.parametrize(
    ("columns", "parameters", "told"),
    [
        ({}, [], "no phases and no order parameters"),
        ({"cka": [[np.nan, np.nan]]}, [], "no phases and no order parameters"),
        ({"cka": [[0.1, 0.2]]}, ["phase"], "no phase to draw; it has: cka"),
        ({"cka": [[0.1, 0.2]]}, ["sharpness"], "'sharpness' cannot be drawn: use one of phase, train_loss"),
    ],
)
def test_what_is_not_there_is_refused(columns, parameters, told, tmp_path):
    with pytest.raises(LandscapeError, match=told):
        draw_diagram(made_up([1, 2], [1], **columns), tmp_path / "maps.png", parameters)
    assert list(tmp_path.iterdir()) == []


def test_two_cells_at_one_place_are_refused(tmp_path):
    zoo = made_up([1, 2], [1], cka=[[0.1, 0.2]])
    zoo.cells = pd.concat([zoo.cells, zoo.cells])
    with pytest.raises(LandscapeError, match="several cells of one width and rate"):
        draw_diagram(zoo, tmp_path / "maps.png")


def test_the_callers_own_style_is_left_alone(tmp_path):
    before = dict(mpl.rcParams)
    draw_diagram(made_up([1, 2], [1], cka=[[0.1, 0.2]]), tmp_path / "maps.svg")
    assert dict(mpl.rcParams) == before


def test_png_by_the_command_line_where_one_stands(built_tiny_zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = RUNNER.invoke(app, ["plot", str(built_tiny_zoo), "--out", "phases.PNG"])
    assert result.exit_code == 0
    assert result.output.startswith("drawn: phase, train_loss, mode_connectivity, cka, hessian_trace")
    assert (tmp_path / "phases.PNG").read_bytes().startswith(b"\x89PNG")


def test_the_command_line_draws_what_is_asked_for(built_tiny_zoo, tmp_path):
    arguments = ["plot", str(built_tiny_zoo), "--parameter", "cka", "--parameter", "phase"]
    result = RUNNER.invoke(app, [*arguments, "--out", str(tmp_path / "two.svg")])
    assert result.output.startswith("drawn: phase, cka ->")
    assert "Hessian" not in (tmp_path / "two.svg").read_text()
    told = " ".join(RUNNER.invoke(app, ["plot", "--help"]).output.split())
    assert all(name in told for name in PARAMETERS)


@pytest.mark.parametrize("name", ["phases.gif", "nowhere/phases.png", "folder.png", ""])
def test_a_picture_that_cannot_be_written_is_refused(built_tiny_zoo, tmp_path, name):
    (tmp_path / "folder.png").mkdir()
    result = RUNNER.invoke(app, ["plot", str(built_tiny_zoo), "--out", str(tmp_path / name)])
    assert isinstance(result.exception, ZooError)
    assert list(tmp_path.rglob("*")) == [tmp_path / "folder.png"]
