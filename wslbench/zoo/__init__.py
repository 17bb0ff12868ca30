"""The zoo format: populations of trained networks, read lazily, written atomically, checked by hash."""

from wslbench.zoo.bundle import read_bundle, write_bundle
from wslbench.zoo.loading import embedded_zoos, load_zoo
from wslbench.zoo.models import Model, Models, Source, Stack
from wslbench.zoo.protocols import DEFAULT_PROTOCOL, PROTOCOLS, make_split
from wslbench.zoo.reader import Zoo, cell_means
from wslbench.zoo.schema import FORMAT_VERSION, Axis, DataSetCard, ZooCard
from wslbench.zoo.seal import seal, sealed
from wslbench.zoo.splits import Split
from wslbench.zoo.verify import verify
from wslbench.zoo.writer import ZooWriter, rewrite_annotations

__all__ = [
    "DEFAULT_PROTOCOL",
    "FORMAT_VERSION",
    "PROTOCOLS",
    "Axis",
    "DataSetCard",
    "Model",
    "Models",
    "Source",
    "Split",
    "Stack",
    "Zoo",
    "ZooCard",
    "ZooWriter",
    "cell_means",
    "embedded_zoos",
    "load_zoo",
    "make_split",
    "read_bundle",
    "rewrite_annotations",
    "seal",
    "sealed",
    "verify",
    "write_bundle",
]
