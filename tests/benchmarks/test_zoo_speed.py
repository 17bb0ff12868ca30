"""Opening a zoo and encoding all of it, against one file and one model at a time."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

import wslbench
from wslbench.zoo import Zoo


@pytest.fixture(scope="module")
def zoo():
    return wslbench.load_zoo("digits-cnn")


def test_opening(against, zoo, tmp_path):
    files = []
    for number, model in enumerate(zoo.models()):
        path = tmp_path / f"{number}.safetensors"
        save_file({name: np.ascontiguousarray(array) for name, array in model.tensors().items()}, path)
        files.append(path)
    against(lambda: Zoo(zoo.path).models(), lambda: [load_file(path) for path in files])


def test_statistics_of_the_whole_zoo(against, zoo):
    models = zoo.models()

    def one_by_one():
        rows = []
        for model in models:
            row = {}
            for name, array in model.tensors().items():
                row[f"{name}.mean"], row[f"{name}.std"] = array.mean(), array.std()
                for percentile in (0, 25, 50, 75, 100):
                    row[f"{name}.p{percentile}"] = np.percentile(array, percentile)
            rows.append(row)
        return pd.DataFrame(rows)

    against(lambda: wslbench.encodings.statistics(models), one_by_one, rounds=3)


def test_help_of_the_command_line(against):
    def run(*command: str):
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)

    against(lambda: run("-m", "wslbench", "--help"), lambda: run("-c", "import torch, pandas, pydantic, rich"))
