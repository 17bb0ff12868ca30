"""Baselines by name, and populations that are made up for them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from wslbench.architectures import Architecture
from wslbench.bundled import bundled_path
from wslbench.typing import Context, TaskInfo
from wslbench.zoo import Models, Source
from wslbench.zoo.template import template

METHODS = {
    "chance": "Chance",
    "architecture_only": "ArchitectureOnly",
    "decoded_hyperparameters": "DecodedHyperparameters",
    "flat": "Flat",
    "graph_encoder": "GraphEncoder",
    "hyper_representation": "HyperRepresentation",
    "hyperparameters": "Hyperparameters",
    "neural_functional": "NeuralFunctional",
    "probing": "Probing",
    "spectral": "Spectral",
    "weight_statistics": "WeightStatistics",
}
GENERATORS = {
    "retrieval": "Retrieval",
    "noise": "Noise",
    "average": "Average",
    "gaussian": "Gaussian",
    "diffusion": "Diffusion",
}
SHARED = {
    "chain_graphs",
    "member_training",
    "neural_training",
    "token_sequences",
    "train_networks",
}  # files that hold no method
PHASES = ("I", "II", "III", "IV-A", "IV-B")


def load_baseline(name: str) -> ModuleType:
    """A baseline's module, under a name that shadows nothing."""
    path = bundled_path("baselines") / f"{name}.py"
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # as the evaluator does, for a method's local imports
    spec = importlib.util.spec_from_file_location(f"baseline_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def make_method(name: str, *, epochs: int | None = 2) -> Any:
    """A fresh instance of a baseline; one that is trained in epochs gets a few of them, or all for None."""
    method = getattr(load_baseline(name), METHODS[name])()
    schedule = getattr(getattr(method, "settings", None), "schedule", None)
    if epochs is not None and schedule is not None:
        method.settings = method.settings._replace(schedule=schedule._replace(epochs=epochs))
    return method


def cnn(width: int) -> Architecture:
    """The digits zoos' network of a width."""
    return Architecture(builder="cnn", arguments={"width": width})


def make_models(
    stacks: Mapping[str, Mapping[str, np.ndarray]], architectures: Mapping[str, Architecture] | None = None
) -> Models:
    """Models out of stacked arrays, one architecture after the other; where none is named, they are of none that is."""
    unnamed = cnn(1)
    sources = [
        Source(name, (architectures or {}).get(name, unnamed), lambda tensors=tensors: tensors)
        for name, tensors in stacks.items()
    ]
    sizes = [len(next(iter(tensors.values()))) for tensors in stacks.values()]
    ids = np.array([f"model{number}" for number in range(sum(sizes))], dtype=object)
    rows = np.concatenate([np.arange(size) for size in sizes])
    return Models(ids, sources, np.repeat(np.arange(len(sizes)), sizes), rows)


class Population(NamedTuple):
    """A made-up grid of cells, with its models and what is true of them."""

    models: Models
    phases: np.ndarray
    values: np.ndarray
    groups: np.ndarray
    hyperparameters: pd.DataFrame

    def context(self, name: str, *, classify: bool, seed: int = 0, rows: Any = slice(None)) -> Context:
        """What the evaluator would tell a baseline of that name; only what its privilege allows."""
        privileged = getattr(getattr(load_baseline(name), METHODS[name]), "privilege", "none") != "none"
        return Context(
            task=TaskInfo("made.up", "phase_classification" if classify else "accuracy_prediction", "made-up"),
            classes=PHASES if classify else (),
            groups=self.groups[rows],
            seed=seed,
            device="cpu",
            deadline=float("inf"),
            hyperparameters=self.hyperparameters.iloc[rows].reset_index(drop=True) if privileged else None,
        )

    def target(self, *, classify: bool) -> np.ndarray:
        """The phases, or the values."""
        return self.phases if classify else self.values


def make_population(widths: tuple[int, ...] = (2, 3, 4, 6), rates: int = 6, seeds: int = 3) -> Population:
    """Networks whose weights grow with the temperature, on a grid of width × temperature.

    The value rises with width and temperature; the phase is a band of that value.
    """
    temperatures = np.geomspace(0.01, 0.3, rates)
    random = np.random.default_rng(3)
    stacks, architectures, load, temperature, groups = {}, {}, [], [], []
    for number, width in enumerate(widths):
        rate = np.repeat(temperatures, seeds)
        architectures[f"w{width}"] = cnn(width)
        stacks[f"w{width}"] = real_network(random, architectures[f"w{width}"], 0.5 + np.log10(rate / 0.001))
        load += [float(width)] * len(rate)
        temperature += list(rate)
        groups += list(number * rates + np.arange(rates).repeat(seeds))
    hyperparameters = pd.DataFrame({"load": load, "temperature": temperature})
    level = np.log(hyperparameters["load"]) + np.log(hyperparameters["temperature"] / 0.01)
    values = level.to_numpy() + 0.01 * random.normal(size=len(level))
    band = np.digitize(level, np.quantile(level, [0.2, 0.4, 0.6, 0.8]))
    shuffled = random.permutation(len(load))
    return Population(
        make_models(stacks, architectures)[shuffled],
        np.array([PHASES[number] for number in band], dtype=object)[shuffled],
        values[shuffled],
        np.array(groups, dtype=np.int64)[shuffled],
        hyperparameters.iloc[shuffled].reset_index(drop=True),
    )


def network(random: np.random.Generator, width: int, scale: np.ndarray) -> dict[str, np.ndarray]:
    """A stack of conv–norm–linear networks with normal weights of standard deviation ``scale / √fan-in``."""
    count = len(scale)
    tensors = {
        "conv.weight": random.normal(size=(count, 2 * width, width, 3, 3)) / np.sqrt(9 * width),
        "bn.weight": 1 + 0.1 * random.normal(size=(count, 2 * width)),
        "bn.bias": 0.1 * random.normal(size=(count, 2 * width)),
        "bn.running_mean": random.normal(size=(count, 2 * width)),
        "bn.running_var": random.uniform(0.5, 1.5, size=(count, 2 * width)),
        "fc.weight": random.normal(size=(count, 10, 8 * width)) / np.sqrt(8 * width),
        "fc.bias": 0.1 * random.normal(size=(count, 10)),
    }
    for name in ("conv.weight", "fc.weight"):
        tensors[name] *= scale.reshape(-1, *[1] * (tensors[name].ndim - 1))
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def real_network(random: np.random.Generator, architecture: Architecture, scale: np.ndarray) -> dict[str, np.ndarray]:
    """A stack of networks that can be built, with normal weights of standard deviation ``scale[n] / √fan-in``."""
    tensors = {}
    for name, shape in template(architecture).stored.items():
        values = random.normal(size=(len(scale), *shape))
        if len(shape) > 1:
            values *= (scale / np.sqrt(np.prod(shape[1:]))).reshape(-1, *[1] * len(shape))
        else:
            values = 0.1 * values + (
                1.0 if name.endswith(("running_var", "bn1.weight", "bn2.weight", "bn3.weight")) else 0.0
            )
        tensors[name] = (np.abs(values) if name.endswith("running_var") else values).astype(np.float32)
    return tensors


def predict(name: str, method: Any, population: Population, rows: Any = slice(None)) -> np.ndarray:
    """What a fitted baseline predicts; the oracle alone is told the hyper-parameters."""
    told = (population.hyperparameters.iloc[rows].reset_index(drop=True),) if name == "hyperparameters" else ()
    return method.predict(population.models[rows], *told)


BASELINES: Path = bundled_path("baselines")
