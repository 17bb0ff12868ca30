"""Record how the settings of ``graph_encoder`` were chosen: ``graph_encoder.json``, read in ``graph_encoder.md``.

``python baselines/search/record_graph_encoder.py`` does it as ``recorded_search`` says.
"""

from __future__ import annotations

from recorded_search import FOLDER, record

from graph_encoder import GraphEncoder, Settings  # isort: skip - recorded_search says where baselines are
from neural_training import Schedule  # isort: skip

TASKS = ("digits-cnn.phase", "digits-cnn.test-accuracy", "convection-pinn.phase", "convection-pinn.error")
BASE = Settings(
    width=32, edge_width=16, layers=2, dropout=0.2, edges=12_000_000,
    schedule=Schedule(epochs=40, patience=6, batch=32, rate=2e-3, decay=0.05, averaging=0.95),
)  # fmt: skip
PATIENT = BASE._replace(edges=40_000_000, schedule=BASE.schedule._replace(patience=15))
TRIED = {
    "start": BASE,
    "one layer": BASE._replace(layers=1),
    "three layers": BASE._replace(layers=3),
    "half as wide": BASE._replace(width=16, edge_width=8),
    "twice as wide": BASE._replace(width=64, edge_width=32),
    "no dropout": BASE._replace(dropout=0.0),
    "more dropout": BASE._replace(dropout=0.4),
    "half the rate": BASE._replace(schedule=BASE.schedule._replace(rate=1e-3)),
    "twice the rate": BASE._replace(schedule=BASE.schedule._replace(rate=4e-3)),
    "no averaging": BASE._replace(schedule=BASE.schedule._replace(averaging=0.0)),
    "patience 15": PATIENT,
    "patience 15, decay .01, averaging .98": PATIENT._replace(
        schedule=PATIENT.schedule._replace(decay=0.01, averaging=0.98)
    ),
    "patience 15, batch 16": PATIENT._replace(schedule=PATIENT.schedule._replace(batch=16)),
}


if __name__ == "__main__":
    record(FOLDER / "graph_encoder.json", GraphEncoder, TRIED, TASKS)
