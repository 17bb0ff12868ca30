"""Record how the settings of ``neural_functional`` were chosen: ``neural_functional.json`` and ``.md``.

``python baselines/search/record_neural_functional.py`` does it as ``recorded_search`` says.
"""

from __future__ import annotations

from recorded_search import FOLDER, record

from neural_functional import NeuralFunctional, Settings  # isort: skip - recorded_search says where baselines are
from neural_training import Schedule  # isort: skip

TASKS = ("digits-cnn.phase", "digits-cnn.test-accuracy", "convection-pinn.phase", "convection-pinn.error")
BASE = Settings(
    layers=2,
    units=16,
    pairs=4,
    head=32,
    dropout=0.3,
    thinning=0.3,
    members=4,
    schedule=Schedule(epochs=40, patience=10, batch=32, rate=3e-3, decay=1e-2, averaging=0.98),
)
TRIED = {
    "start": BASE,
    "no layers": BASE._replace(layers=0),
    "one layer": BASE._replace(layers=1),
    "three layers": BASE._replace(layers=3),
    "twice as wide": BASE._replace(units=32, pairs=8, head=64),
    "no thinning": BASE._replace(thinning=0.0),
    "more thinning": BASE._replace(thinning=0.6),
    "more dropout": BASE._replace(dropout=0.6),
    "a third of the rate": BASE._replace(schedule=BASE.schedule._replace(rate=1e-3)),
    "no averaging": BASE._replace(schedule=BASE.schedule._replace(averaging=0.0)),
    "one member": BASE._replace(members=1),
}


if __name__ == "__main__":
    record(FOLDER / "neural_functional.json", NeuralFunctional, TRIED, TASKS)
