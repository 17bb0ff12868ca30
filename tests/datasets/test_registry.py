"""load_dataset: names, arguments, and what importing the package costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.hub_layout import write_text
from wslbench.datasets import DATASETS, Dataset, load_dataset
from wslbench.errors import DatasetError


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DatasetError, match=r"unknown data set 'cifar11'.*cifar10, cifar100, convection"):
        load_dataset("cifar11")


def test_an_unknown_argument_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(DatasetError, match=r"no argument 'points': it takes interior, initial, boundary"):
        load_dataset("convection", points=3)
    with pytest.raises(DatasetError, match=r"'digits' has no argument 'seed': it takes none"):
        load_dataset("digits", seed=3)


def test_arguments_of_a_wrong_kind_are_refused() -> None:
    with pytest.raises(DatasetError, match="interior is a number of points from 1 up"):
        load_dataset("convection", interior=[3])
    with pytest.raises(DatasetError, match=r"arguments are numbers, names and rows of numbers, not \{'interior'"):
        load_dataset("convection", interior={})
    with pytest.raises(DatasetError, match="arguments are numbers, names and rows of numbers"):
        load_dataset("convection", interior=[[3]])


def test_a_data_set_is_loaded_once_for_the_same_arguments() -> None:
    assert load_dataset("convection", interior=8) is load_dataset("convection", interior=8)
    assert load_dataset("convection", interior=8) is not load_dataset("convection", interior=9)


def test_another_data_folder_is_another_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    for documents in (50, 60):
        folder = tmp_path / str(documents)
        write_text(folder, "tiny_shakespeare", documents=documents)
        monkeypatch.setenv("WSLBENCH_DATA", str(folder))
        sizes.append(len(load_dataset("tiny_shakespeare").train_tokens))
    assert sizes[0] < sizes[1]


def test_a_data_folder_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSLBENCH_DATA", "/no/such/folder")
    with pytest.raises(DatasetError, match=r"WSLBENCH_DATA is '/no/such/folder', which is not a folder"):
        load_dataset("cifar10")


def test_digits_are_ready_for_a_network() -> None:
    digits = load_dataset("digits")
    assert isinstance(digits, Dataset)
    assert digits.train_inputs.dtype == np.float32
    assert digits.train_inputs.shape == (1200, 1, 8, 8)
    assert digits.mean is None
    assert digits.std is None


def test_importing_loads_no_heavy_library_and_no_data() -> None:
    modules = ", ".join({target.split(":")[0] for target in DATASETS.values()})
    heavy = "{'torch', 'sklearn', 'pyarrow', 'PIL', 'huggingface_hub', 'tokenizers', 'pandas'}"
    code = f"import sys, {modules}; sys.exit(' '.join({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
