"""The engines that a command offers."""

from __future__ import annotations

import enum


class EngineName(enum.StrEnum):
    """What runs the work."""

    local = "local"
    ray = "ray"
