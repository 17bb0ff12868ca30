"""Finding the method in its file: what is no method is told, and how to mend it."""

from __future__ import annotations

import threading

import pytest

from tests.evaluation.conftest import WriteMethod
from wslbench.errors import MethodError
from wslbench.evaluation.launcher import Launcher
from wslbench.evaluation.limits import Limits
from wslbench.evaluation.method_file import read_method_file
from wslbench.evaluation.method_info import LONGEST_DESCRIPTION, Declared, inspect_method

ONE = (
    "class {name}:\n    '''First line.\n\n    More.'''\n"
    "    def fit(self, m, t, c): ...\n    def predict(self, m): ...\n"
)


def inspect(
    write_method: WriteMethod, launcher: Launcher, source: str, chosen: str = "", name: str = "method.py"
) -> Declared:
    reference = f"{write_method(source, name)}{chosen}"
    return inspect_method(read_method_file(reference), launcher, Limits(3.0, 400 * 2**20), threading.Event())


def test_the_one_public_class_is_found(write_method: WriteMethod, launcher: Launcher) -> None:
    source = (
        "from collections import OrderedDict\nfrom wslbench.typing import Method, Generator\n"
        + ONE.format(name="_Base") + ONE.format(name="Mine") + "Alias = Mine\nclass Other: ...\n"
    )  # fmt: skip
    assert inspect(write_method, launcher, source) == Declared("Mine", "First line.", ("predict",), "none")


def test_a_first_line_of_any_length_is_a_line_for_tables(write_method: WriteMethod, launcher: Launcher) -> None:
    source = ONE.format(name="Mine").replace("First line.", "word " * 20_000)
    description = inspect(write_method, launcher, source).description
    assert len(description) == LONGEST_DESCRIPTION
    assert description.startswith("word word ")
    assert description.endswith("…")


def test_two_candidates_are_named_and_one_can_be_chosen(write_method: WriteMethod, launcher: Launcher) -> None:
    source = ONE.format(name="First") + ONE.format(name="Second")
    with pytest.raises(MethodError, match=r"2 methods \(First, Second\).*method\.py::First"):
        inspect(write_method, launcher, source)
    assert inspect(write_method, launcher, source, "::Second").class_name == "Second"
    with pytest.raises(MethodError, match=r"no public class 'Third'.*candidates: First, Second"):
        inspect(write_method, launcher, source, "::Third")


@pytest.mark.parametrize("name", ["statistics.py", "numpy.py", "my-method.py", "json.py", "wslbench.py"])
def test_a_file_may_be_named_like_a_library(write_method: WriteMethod, launcher: Launcher, name: str) -> None:
    source = "import statistics as real\nassert real.mean([1, 3]) == 2\n" + ONE.format(name="Mine")
    source = ONE.format(name="Mine") if name == "statistics.py" else source
    assert inspect(write_method, launcher, source, name=name).class_name == "Mine"


def test_local_imports_work(write_method: WriteMethod, launcher: Launcher) -> None:
    write_method("VALUE = 'none'", "beside.py")
    source = "import beside\n" + ONE.format(name="Mine") + "    privilege = beside.VALUE\n"
    assert inspect(write_method, launcher, source).privilege == "none"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("x = 1", "defines no method"),
        ("class OnlyFit:\n    def fit(self, m, t, c): ...", "defines no method"),
        ("import absent_library", r"cannot be imported: ModuleNotFoundError.*method\.py:1"),
        ("1 / 0", r"ZeroDivisionError: division by zero \(method\.py:1"),
        ("import sys; sys.exit('bye')", "SystemExit: bye"),
        ("import os; os._exit(3)", "exit code 3"),
        ("while True: pass", r"during `load`, it took more than the 3 s"),
        ("x = bytearray(2**30)\nfor i in range(0, 2**30, 4096): x[i] = 1\nimport time; time.sleep(9)", "GiB"),
        (ONE.format(name="A") + "    def __init__(self, size): ...", r"A\(\) fails without arguments: TypeError"),
        (ONE.format(name="A") + "    privilege = 'all'", "privilege is 'all'"),
    ],
)
def test_what_is_no_method_is_told(write_method: WriteMethod, launcher: Launcher, source: str, words: str) -> None:
    with pytest.raises(MethodError, match=words) as caught:
        inspect(write_method, launcher, source)
    assert "method.py cannot be evaluated" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("verbs", [("predict",), ("generate",), ("predict", "generate")])
def test_what_a_method_can_do_is_declared(
    write_method: WriteMethod, launcher: Launcher, verbs: tuple[str, ...]
) -> None:
    source = "class Mine:\n    def fit(self, m, t, c): ...\n" + "".join(
        f"    def {verb}(self, *a): ...\n" for verb in verbs
    )
    assert inspect(write_method, launcher, source).verbs == verbs
