"""Small objectives to train on."""

from torch import Tensor

from wslbench.training import Augmentation, Classification, RunSettings


def classification(inputs: Tensor, labels: Tensor, augmentation: Augmentation | None = None) -> Classification:
    """Images that are train and test set at once."""
    return Classification(inputs, labels, inputs, labels, int(labels.max()) + 1, augmentation)


def settings(rates: list[float], seeds: list[int]) -> RunSettings:
    """A learning rate and a seed a network."""
    return RunSettings(seeds, rates)
