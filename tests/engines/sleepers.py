"""A process whose engine is at work, to be killed or interrupted."""

import os
import subprocess
import sys
import time

from tests.engines.works import lines

SCRIPT = """
import sys
from pathlib import Path
from tests.engines import works
from wslbench.engines import make_engine

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    engine = make_engine(sys.argv[2], 2)
    try:
        engine.run(works.jobs_in(folder, a=1, b=1), works.asleep, folder, lambda units: None)
    except KeyboardInterrupt:
        sys.exit(42)
"""


def start_sleepers(folder, engine):
    """A process of its own session that runs two sleeping jobs; returned when both are at it."""
    script = folder / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(folder), engine],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    deadline = time.monotonic() + 60
    while len(lines(folder, "pids")) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(lines(folder, "pids")) == 2, process.communicate()[0] if process.poll() is not None else "no jobs"
    return process
