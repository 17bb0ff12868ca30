"""Record how the settings of ``graph_encoder`` were chosen: ``graph_encoder.json``, read in ``graph_encoder.md``.

``python baselines/search/record_graph_encoder.py`` does it as ``recorded_search`` says.
"""

from __future__ import annotations

from recorded_search import FOLDER, record

from graph_encoder import GraphEncoder, Settings  # isort: skip - recorded_search says where baselines are

TASKS = ("digits-cnn.phase", "digits-cnn.test-accuracy")
BASE = Settings()
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
}


if __name__ == "__main__":
    record(FOLDER / "graph_encoder.json", GraphEncoder, TRIED, TASKS)
