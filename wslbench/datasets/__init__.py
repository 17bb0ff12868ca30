"""The data sets that zoos are trained on, by name. Importing this package loads no data and no torch."""

from wslbench.datasets._dataset import AnyDataset, ConvectionDataset, Dataset, TextDataset
from wslbench.datasets._registry import DATASETS, load_dataset

__all__ = ["DATASETS", "AnyDataset", "ConvectionDataset", "Dataset", "TextDataset", "load_dataset"]
