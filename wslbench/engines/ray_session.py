"""A connection to a ray cluster: the one at an address, or one of our own on this machine."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator

import ray

from wslbench.engines.interrupts import deaf_to_interrupts
from wslbench.errors import ZooError

CONNECT_SECONDS = 10.0
OBJECT_STORE_BYTES = 128 << 20  # results go to files; ray's default would take a third of the memory


@contextlib.contextmanager
def ray_session(jobs: int, address: str | None) -> Iterator[bool]:
    """Connected inside the block; whether by a session of ours, which ends with it, as do all tasks on all nodes.

    A session that this process has already is used, and left as it is.

    Raises
    ------
    ZooError
        If there is no cluster at the address, or none can be started.
    """
    if ray.is_initialized():
        yield False
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # ray would send them, unless told otherwise
    try:
        _connect(jobs, address)
        yield True
    finally:
        with deaf_to_interrupts():
            ray.shutdown()


def _connect(jobs: int, address: str | None) -> None:
    try:
        if address is None:
            ray.init(
                address="local",
                num_cpus=jobs,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                logging_level=logging.ERROR,
                log_to_driver=False,
            )
        else:
            _knock(address)
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (OSError, RuntimeError, ValueError) as error:  # ray's ConnectionErrors are among them
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        if address is None:
            raise ZooError(f"ray could not be started on this machine: {reason}") from error
        raise ZooError(
            f"no ray cluster answers at {address!r}: {reason}. Start one (ray start --head), or leave --address away "
            "and ray is started on this machine"
        ) from error


def _knock(address: str) -> None:
    """Fail at once where nobody listens: ray itself would try for many minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
