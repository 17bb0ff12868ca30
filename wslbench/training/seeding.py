"""Seeds by hashing: what a run draws depends on its names alone, never on its place in a stack or a queue."""

from __future__ import annotations

import hashlib
import hmac


def seed_from(*parts: str | int, key: bytes | None = None) -> int:
    """A 63-bit seed from names and numbers, the same on every machine.

    Two different tuples of parts share nothing: seed 0 of one cell and seed 0 of another are unrelated.

    Parameters
    ----------
    key
        Makes the seeds secret: they are then an HMAC-SHA256 (RFC 2104) of the parts, which nobody can foresee or tell
        from chance without the key. None: the SHA-256 of the parts, which everybody can work out.
    """
    text = "\x1f".join(str(part) for part in parts).encode()
    digest = hashlib.sha256(text).digest() if key is None else hmac.digest(key, text, "sha256")
    return int.from_bytes(digest[:8], "big") >> 1
