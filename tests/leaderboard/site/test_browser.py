"""The site in a browser: it loads in silence, sorts, filters, changes its theme, and can be used without a mouse."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.leaderboard.site.browser import Browser
from tests.leaderboard.site.conftest import TASKS, Site
from wslbench.leaderboard.columns import number, with_ends

_FIRST = "document.querySelector('table.sortable')"


def column(browser: Browser, place: int) -> list[str]:
    """The cells of a column of the first table that are seen."""
    return browser.run(
        f"[...{_FIRST}.tBodies[0].rows].filter(row => row.offsetParent).map(row => row.cells[{place}].textContent)"
    )


def press_heading(browser: Browser, place: int) -> str | None:
    """Sort the first table by a column with the keyboard; what ``aria-sort`` is then."""
    heading = f"{_FIRST}.tHead.rows[0].cells[{place}]"
    browser.run(f"{heading}.querySelector('button').focus()")
    browser.press("Enter", "\r")
    return browser.run(f"{heading}.getAttribute('aria-sort')")


def background(browser: Browser) -> str:
    return browser.run("getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("page", ["index.html", "methods/good.html", f"tasks/{TASKS[0]}.html"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_load_in_silence_and_fetch_nothing_but_their_own(site: Site, browser: Browser, page, width) -> None:
    browser.show(width, 844)
    browser.open(site.folder / page)
    assert browser.complaints == []
    assert browser.requests
    assert all(url.startswith(site.folder.as_uri()) for url in browser.requests)
    assert browser.run("window.caught") is None
    assert browser.run("getComputedStyle(document.querySelector('.skip')).position") == "absolute"  # it has its style
    # Wide tables scroll in their own container; the page never does, sideways.
    assert browser.run("document.documentElement.scrollWidth") <= width


def test_numbers_in_the_browser_are_those_of_the_board(site: Site, browser: Browser) -> None:
    task = site.data["tasks"][0]
    browser.open(site.folder / "tasks" / f"{task['id']}.html")
    shown = dict(zip(column(browser, 1), column(browser, 2), strict=True))
    for row in task["rows"]:
        assert shown[row["method"]] == with_ends(*row["metrics"][task["headline"]][:3])


def test_sorting_orders_numbers_both_ways_with_what_is_missing_last(site: Site, browser: Browser) -> None:
    browser.show()
    browser.open(site.folder / "tasks" / f"{TASKS[2]}.html")
    task = next(task for task in site.data["tasks"] if task["id"] == TASKS[2])
    lifts = [row["lift"]["value"] for row in task["rows"] if row["lift"] and row["lift"]["value"] is not None]
    expected = [number(value) for value in sorted(lifts, reverse=True)]
    for order, said in ((expected, "descending"), (expected[::-1], "ascending")):
        assert press_heading(browser, 3) == said
        shown = column(browser, 3)
        assert [text.split()[0] for text in shown[: len(order)]] == order
        assert set(shown[len(order) :]) == {"–"}
    assert press_heading(browser, 1) == "ascending"
    names = [name for name in column(browser, 1) if name.replace("_", "").isalpha()]
    assert names == sorted(names)
    assert browser.run("document.querySelectorAll('[aria-sort]').length") == 1
    assert browser.complaints == []


_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?")


def test_every_heading_of_a_task_sorts_its_column_both_ways(site: Site, browser: Browser) -> None:
    browser.show()
    browser.open(site.folder / "tasks" / f"{TASKS[2]}.html")
    headings = browser.run(f"[...{_FIRST}.tHead.rows[0].cells].map(cell => cell.textContent.trim())")
    words = browser.run(f"[...{_FIRST}.tHead.rows[0].cells].map(cell => cell.classList.contains('text'))")
    assert {"#", "method", "lift", "worst phase", "fit s", "covers", "tier", "note"} <= set(headings)
    for place, (heading, is_words) in enumerate(zip(headings, words, strict=True)):
        before = column(browser, place)
        present = [text for text in before if text not in ("", "–")]
        if not is_words:
            assert all(_NUMBER.match(text) for text in present), heading  # else there is nothing to sort it by
        directions = set()
        for _ in range(2):
            said = press_heading(browser, place)
            directions.add(said)
            shown = column(browser, place)
            assert Counter(shown) == Counter(before), heading
            first, last = shown[: len(present)], shown[len(present) :]
            assert set(last) <= {"", "–"}, heading
            keys = [text.casefold() if is_words else float(_NUMBER.match(text)[0]) for text in first]
            compared = [key for key in keys if not is_words or key.replace("_", "").isalpha()]  # elsewhere, ICU's order
            assert compared == sorted(compared, reverse=said == "descending"), heading
        assert directions == {"ascending", "descending"}, heading
    assert browser.complaints == []


def test_worst_phases_are_sorted_by_what_is_known_of_them(site: Site, browser: Browser) -> None:
    task = next(task for task in site.data["tasks"] if task["id"] == TASKS[2])
    worst = [row["worst_phase"] for row in task["rows"]]
    assert len({each["phase"] for each in worst}) > 1
    browser.open(site.folder / "tasks" / f"{TASKS[2]}.html")
    headings = browser.run(f"[...{_FIRST}.tHead.rows[0].cells].map(cell => cell.textContent.trim())")
    place = headings.index("worst phase")
    assert press_heading(browser, place) == "descending"
    shown = [text for text in column(browser, place) if text != "–"]
    expected = sorted(worst, key=lambda each: -each["value"])
    assert shown == [f"{number(each['value'])} ({each['phase']})" for each in expected]


def test_the_filter_hides_rows_in_all_tables_of_its_section_and_says_how_many_are_left(
    site: Site, browser: Browser
) -> None:
    browser.show()
    browser.open(site.folder / "index.html")
    total = len(column(browser, 0))
    browser.run("document.querySelector('input[type=search]').focus()")
    browser.type("TWI")
    assert browser.run("document.activeElement.labels[0].textContent") == "Filter methods"
    assert column(browser, 0) == ["twin"]
    seen = "[...document.querySelectorAll('.suite:not([hidden]) tbody tr')].filter(row => row.offsetParent)"
    assert set(browser.run(f"{seen}.map(row => row.querySelector('th').textContent)")) == {"twin"}
    assert browser.run("document.querySelector('.count').textContent") == f"1 of {total} shown"
    browser.run("document.activeElement.select()")
    browser.press("Backspace")
    assert len(column(browser, 0)) == total > 1
    assert browser.run("document.querySelector('.count').textContent") == ""


def test_one_suite_is_seen_at_a_time(site: Site, browser: Browser) -> None:
    browser.open(site.folder / "index.html")
    seen = "[...document.querySelectorAll('.suite')].filter(each => each.offsetParent).map(each => each.id)"
    assert browser.run(seen) == ["suite-default"]
    browser.run("document.querySelector('[data-shows=suite-full]').focus()")
    browser.press("Enter", "\r")
    assert browser.run(seen) == ["suite-full"]
    assert browser.run("document.activeElement.getAttribute('aria-pressed')") == "true"
    browser.open(site.folder / "methods" / "good.html")
    browser.open(site.folder / "index.html", "#suite-full")
    assert browser.run(seen) == ["suite-full"]


def test_the_theme_follows_the_system_until_someone_chooses(site: Site, browser: Browser) -> None:
    browser.show(dark=True)
    browser.open(site.folder / "index.html")
    dark = background(browser)
    browser.show(dark=False)
    light = background(browser)
    assert dark != light
    texts = [browser.run("document.querySelector('.theme').textContent")]
    colours = []
    for _ in range(3):
        browser.run("document.querySelector('.theme').focus()")
        browser.press("Enter", "\r")
        texts.append(browser.run("document.querySelector('.theme').textContent"))
        colours.append(background(browser))
        pictures = "[...document.querySelectorAll('.zoo img')].filter(each => each.offsetParent)"
        assert browser.run(f"{pictures}.map(each => each.className)") == [
            "on-dark" if colours[-1] == dark else "on-light"
        ]
    assert texts == ["Theme: system", "Theme: light", "Theme: dark", "Theme: system"]
    assert colours == [light, dark, light]


def test_the_keyboard_reaches_everything_and_shows_where_it_is(site: Site, browser: Browser) -> None:
    browser.show()
    browser.open(site.folder / "tasks" / f"{TASKS[0]}.html")
    reached = []
    for _ in range(40):
        browser.press("Tab")
        reached.append(
            browser.run(
                "[document.activeElement.className, document.activeElement.tagName,"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
        )
    assert reached[0][0] == "skip"
    assert all(outline != "none" for _, name, outline in reached if name != "BODY")
    kinds = {(style.split(" ")[0], name) for style, name, _ in reached}
    assert {("theme", "BUTTON"), ("", "INPUT"), ("sort", "BUTTON"), ("scroll", "DIV")} <= kinds
    browser.open(site.folder / "tasks" / f"{TASKS[0]}.html")
    browser.press("Tab")
    browser.press("Enter", "\r")
    assert browser.run("document.activeElement.id") == "main"
