"""The data sets that zoos are trained on, by name. Importing this package loads no data and no torch."""

from wslbench.datasets._dataset import DATASETS, Dataset, load_dataset

__all__ = ["DATASETS", "Dataset", "load_dataset"]
