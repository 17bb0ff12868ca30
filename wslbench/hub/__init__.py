"""Zoos on the Hugging Face hub: opening, fetching and publishing them. Importing this package loads no hub library."""

from wslbench.hub.address import HubAddress, parse_address
from wslbench.hub.cached_zoo import CachedZoo, open_hub_zoo
from wslbench.hub.pulling import Pulled, pull_zoo
from wslbench.hub.pushing import Pushed, push_zoo

__all__ = [
    "CachedZoo",
    "HubAddress",
    "Pulled",
    "Pushed",
    "open_hub_zoo",
    "parse_address",
    "pull_zoo",
    "push_zoo",
]
