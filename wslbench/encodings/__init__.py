"""Encodings: what methods are fed instead of raw weights. Graphs load torch, and only when they are asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from wslbench.encodings.statistics import statistics
from wslbench.encodings.weight_chains import Chain, ChainFeatures, chain_of, chains, padded
from wslbench.encodings.weight_tokens import TokenBatch, TokenScale, from_tokens, tokens

if TYPE_CHECKING:
    from wslbench.encodings.neural_graphs import graphs

__all__ = [
    "Chain",
    "ChainFeatures",
    "TokenBatch",
    "TokenScale",
    "chain_of",
    "chains",
    "from_tokens",
    "graphs",
    "padded",
    "statistics",
    "tokens",
]


def __getattr__(name: str) -> Any:
    if name != "graphs":
        raise AttributeError(f"module 'wslbench.encodings' has no attribute {name!r}")
    return importlib.import_module("wslbench.encodings.neural_graphs").graphs
