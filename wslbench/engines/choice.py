"""The engine of a name."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from wslbench.engines.engine import Engine
from wslbench.engines.local import LocalEngine
from wslbench.errors import ZooError


def make_engine(name: Literal["local", "ray"], jobs: int, address: str | None = None) -> Engine:
    """The engine of a name.

    Parameters
    ----------
    name
        ``local``: processes of one thread each on this machine. ``ray``: tasks of one thread each on a cluster.
    jobs
        Jobs done at the same time. A ray cluster that exists already does as many as it has processors.
    address
        Of a ray cluster that exists already: ``auto``, ``host:port`` or ``ray://host:port``. Without it ray is
        started on this machine, and stopped when the work is done.

    Raises
    ------
    ZooError
        If there is no such engine, or ray is not installed, or an argument does not fit.
    """
    if jobs < 1:
        raise ZooError(f"--jobs {jobs}: at least one job has to run at a time")
    if name == "local":
        if address is not None:
            raise ZooError(f"--address {address}: only the ray engine has one; add --engine ray")
        return LocalEngine(jobs)
    if name == "ray":
        if find_spec("ray") is None:
            raise ZooError('the ray engine needs ray, which is not installed: pip install "wslbench[ray]"')
        from wslbench.engines.ray_engine import RayEngine

        return RayEngine(jobs, address)
    raise ZooError(f"no engine {name!r}; there are local and ray")
