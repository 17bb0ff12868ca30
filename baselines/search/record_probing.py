"""Record how the settings of ``probing`` were chosen: ``probing.json``, read in ``probing.md``.

``python baselines/search/record_probing.py`` does it as ``recorded_search`` says.
"""

from __future__ import annotations

from recorded_search import FOLDER, record

from probing import Probing, Settings  # isort: skip - recorded_search says where baselines are

TASKS = ("digits-cnn.phase", "digits-cnn.test-accuracy", "convection-pinn.phase", "convection-pinn.error")
BASE = Settings(
    probes=32, codes=64, depth=2, spread=1.0, quickness=1.0, hidden=256, dropout=0.5, readers=5,
    schedule=Settings().schedule._replace(epochs=100, patience=25, batch=64, rate=1e-3, decay=0.1, averaging=0.0),
)  # fmt: skip
TRIED = {
    "start": BASE,
    "as drawn": BASE._replace(schedule=BASE.schedule._replace(epochs=1, rate=1e-9)),
    "10 times as quick": BASE._replace(quickness=10.0),
    "averaging": BASE._replace(schedule=BASE.schedule._replace(averaging=0.95)),
    "rate 3e-4": BASE._replace(schedule=BASE.schedule._replace(rate=3e-4)),
    "16 probes": BASE._replace(probes=16),
    "64 probes": BASE._replace(probes=64),
    "one dense map": BASE._replace(depth=1),
}


if __name__ == "__main__":
    record(FOLDER / "probing.json", Probing, TRIED, TASKS)
