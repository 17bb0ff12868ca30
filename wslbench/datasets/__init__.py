"""The data sets that zoos are trained on, by name. Importing this package loads no data and no torch."""

from wslbench.datasets._dataset import AnyDataset, ConvectionDataset, DataArgument, Dataset, TextDataset
from wslbench.datasets._registry import DATASETS, load_dataset

__all__ = ["DATASETS", "AnyDataset", "ConvectionDataset", "DataArgument", "Dataset", "TextDataset", "load_dataset"]
