"""Encodings: what methods are fed instead of raw weights."""

from wslbench.encodings.statistics import statistics

__all__ = ["statistics"]
