"""Importing a phase-transition zoo of realistic size, against torch reading the same files; and reading one layer back.

A tree of 192 runs × 5 checkpoints of ResNet-18 at width 4, with logs of 151 epochs: 960 files of 214 kB.
"""

import shutil
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import torch

from tests.interop.phase_zoo import network, write_run
from wslbench.interop import ImportOptions, import_zoo
from wslbench.zoo import Zoo

BATCH_SIZES = tuple(2**power for power in range(3, 11))
LEARNING_RATES = (0.003, 0.006, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4)
SEEDS = (0, 1, 2)
EPOCHS = (0, 50, 100, 125, 150)
OPTIONS = ImportOptions("published", None, "learning_rate", None, "cifar-10", 50_000)
MEGABYTE = 10**6


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ptmz") / "tree"
    shared = {"epochs": EPOCHS, "planned": 150, "landscape_epoch": 125, "template": network(4)}
    for batch_size, rate, seed in product(BATCH_SIZES, LEARNING_RATES, SEEDS):
        write_run(folder, 4, batch_size, seed, learning_rate=rate, **shared)
    return folder


@pytest.fixture(scope="module")
def zoo(tree):
    return import_zoo(tree, "ptmz", tree.with_name("zoo"), OPTIONS)


def test_importing(against, tree, tmp_path):
    """Ours copies, hashes and verifies as well; the obvious way only reads."""
    files = sorted(tree.glob("*/checkpoint_*/checkpoints"))

    def ours():
        shutil.rmtree(tmp_path / "zoo", ignore_errors=True)
        import_zoo(tree, "ptmz", tmp_path / "zoo", OPTIONS)

    def obvious():
        for file in files:
            torch.load(file, map_location="cpu", weights_only=True)

    against(ours, obvious, rounds=3)


def test_reading_one_layer_of_all_models(against, tree, zoo):
    files = sorted(tree.glob("*/checkpoint_*/checkpoints"))

    def ours():
        (stack,) = Zoo(zoo.path).models().by_architecture()
        return np.ascontiguousarray(stack["layer1.0.conv1.weight"])

    def obvious():
        states = (torch.load(file, map_location="cpu", weights_only=True) for file in files)
        return np.stack([state["layer1.0.conv1.weight"].numpy() for state in states])

    assert ours().shape == obvious().shape == (960, 4, 4, 3, 3)
    against(ours, obvious, rounds=3)


def test_memory_of_importing(benchmark, tree, tmp_path):
    """Peak memory of a process that does nothing else, everything that it imports included."""
    code = (
        "import sys, pathlib; from tests.benchmarks.test_import_speed import OPTIONS, import_zoo; "
        "import_zoo(pathlib.Path(sys.argv[1]), 'ptmz', pathlib.Path(sys.argv[2]), OPTIONS); "
        # The kernel's count of this program alone: `ru_maxrss` starts from that of the process which started it.
        "print(pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    command = [sys.executable, "-c", code, str(tree), str(tmp_path / "zoo")]
    done = benchmark.pedantic(lambda: subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True), rounds=1)
    peak = int(done.stdout) * 1024
    benchmark.extra_info["peak_megabytes"] = peak // MEGABYTE
    assert peak < 500 * MEGABYTE
