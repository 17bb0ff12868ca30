"""Record how the settings of ``hyper_representation`` were chosen: its ``.json`` here, read in its ``.md``.

``python baselines/search/record_hyper_representation.py`` does it as ``recorded_search`` says.
"""

from __future__ import annotations

from recorded_search import FOLDER, record

from hyper_representation import HyperRepresentation, Settings  # isort: skip - recorded_search says where baselines are

TASKS = ("digits-cnn.phase", "digits-cnn.test-accuracy", "convection-pinn.phase", "convection-pinn.error")
BASE = Settings(
    size=64, code=64, width=64, layers=2, heads=4, window=32, variants=4, noise=0.1, shake=0.3, contrast=0.1,
    temperature=0.1, fine_tuning=20, bandwidth=0.1,
    schedule=Settings().schedule._replace(epochs=10, patience=10, batch=32, rate=2e-3, decay=0.01, averaging=0.0),
)  # fmt: skip
TRIED = {
    "start": BASE,
    "linear probe alone": BASE._replace(fine_tuning=0),
    "40 epochs of fine-tuning": BASE._replace(fine_tuning=40),
    "1 layer": BASE._replace(layers=1),
    "no contrast": BASE._replace(contrast=0.0),
}


if __name__ == "__main__":
    record(FOLDER / "hyper_representation.json", HyperRepresentation, TRIED, TASKS)
