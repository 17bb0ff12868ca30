"""What the parent can tell of a method without importing it."""

from __future__ import annotations

import gc
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.evaluation.conftest import WriteMethod
from wslbench.errors import MethodError
from wslbench.evaluation.method_file import read_method_file


def test_a_missing_file_is_named_with_the_way_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(MethodError, match=r"no method file .*absent\.py.*wslbench new"):
        read_method_file(tmp_path / "absent.py")


def test_a_folder_or_a_notebook_is_no_method(tmp_path: Path) -> None:
    notebook = tmp_path / "method.ipynb"
    notebook.write_text("{}")
    for path in (tmp_path, notebook):
        with pytest.raises(MethodError, match="not a Python file"):
            read_method_file(path)


@pytest.mark.parametrize(
    ("source", "words"),
    [("def f(:\n", r"line 1: .*`def f\(:`"), ("x = 1\n  y = 2\n", "line 2"), ("x = '\0'", "null")],
)
def test_a_syntax_error_is_told_with_its_line(write_method: WriteMethod, source: str, words: str) -> None:
    path = write_method("")
    path.write_text(source)
    with pytest.raises(MethodError, match=words):
        read_method_file(path)


def test_nothing_is_run(write_method: WriteMethod) -> None:
    assert read_method_file(write_method("raise SystemExit(1)")).name == "method"


def test_a_chosen_class_is_part_of_name_and_hash(write_method: WriteMethod) -> None:
    path = write_method("class A: ...")
    plain, chosen = read_method_file(path), read_method_file(f"{path}::A")
    assert (plain.name, plain.class_name) == ("method", None)
    assert (chosen.name, chosen.class_name) == ("method-A", "A")
    assert plain.hash != chosen.hash


def test_local_imports_count_also_those_of_imports(write_method: WriteMethod, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for name, text in {
        "parts/__init__.py": "",
        "parts/inner.py": "from . import deepest",
        "parts/deepest.py": "x = 1",
        "beside.py": "import method",
        "stranger.py": "x = 1",
    }.items():
        (tmp_path / name).write_text(text)
    path = write_method("import numpy\nimport beside\ndef f():\n    from parts.inner import y\n")
    method = read_method_file(path)
    assert [name for name, _ in method.sources] == [
        "beside.py", "method.py", "parts/__init__.py", "parts/deepest.py", "parts/inner.py",
    ]  # fmt: skip
    (tmp_path / "stranger.py").write_text("x = 2")
    assert read_method_file(path).hash == method.hash
    (tmp_path / "parts/deepest.py").write_text("x = 2")
    assert read_method_file(path).hash != method.hash


def test_the_same_sources_elsewhere_have_the_same_hash(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "method.py").write_text("import os")
    assert read_method_file(tmp_path / "a/method.py").hash == read_method_file(tmp_path / "b/method.py").hash


def test_only_trusted_imports_are_preloaded(write_method: WriteMethod) -> None:
    source = "import os, antigravity\nfrom sklearn.svm import SVC\nimport torch.nn as nn\nx = model.hyperparameters"
    assert set(read_method_file(write_method(source)).preload) == {
        "sklearn.svm",
        "sklearn.svm.SVC",
        "torch.nn",
        "pandas",
    }
    assert read_method_file(write_method("model.state_dict()")).preload == ("torch",)
    assert read_method_file(write_method("import numpy as np")).preload == ("numpy",)


def test_files_are_read_by_many_threads_at_once(write_method: WriteMethod) -> None:
    """Python 3.11 counts how deep it parses for all threads together; they change places where rubbish is collected."""
    path = write_method("def f():\n    return " + " + ".join(["(1, [2, {3: 4}])"] * 100))

    class Rubbish:
        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            time.sleep(0.0002)  # lets another thread go on

    def read(_: int) -> str:
        Rubbish()
        return read_method_file(path).hash

    kept = gc.get_threshold()
    gc.set_threshold(20)
    try:
        with ThreadPoolExecutor(6) as threads:
            assert len(set(threads.map(read, range(100)))) == 1
    finally:
        gc.set_threshold(*kept)
