"""Who does the work of growing a zoo: processes on this machine, or a ray cluster."""

from wslbench.engines.choice import make_engine
from wslbench.engines.engine import Engine, Job, Progress, Report, Work

__all__ = ["Engine", "Job", "Progress", "Report", "Work", "make_engine"]
