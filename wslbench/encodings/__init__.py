"""Encodings: what methods are fed instead of raw weights. Graphs load torch, when they are asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from wslbench.encodings.statistics import statistics
from wslbench.encodings.weight_chains import Chain, ChainFeatures, chain_of, chains, padded
from wslbench.encodings.weight_tokens import TokenBatch, TokenScale, from_tokens, tokens

if TYPE_CHECKING:
    from wslbench.encodings.graph_topology import Topology, topology
    from wslbench.encodings.neural_graphs import graphs

__all__ = [
    "Chain",
    "ChainFeatures",
    "TokenBatch",
    "TokenScale",
    "Topology",
    "chain_of",
    "chains",
    "from_tokens",
    "graphs",
    "padded",
    "statistics",
    "tokens",
    "topology",
]
_LATER: Final = {"graphs": "neural_graphs", "Topology": "graph_topology", "topology": "graph_topology"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'wslbench.encodings' has no attribute {name!r}")
    return getattr(importlib.import_module(f"wslbench.encodings.{_LATER[name]}"), name)
