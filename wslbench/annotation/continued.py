"""What an earlier annotation knows of runs that went on for longer: their weights are not stored, their values are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from wslbench.annotation.options import AnnotationOptions
from wslbench.zoo import Zoo

_NEEDED = ("epoch", "mode_connectivity", "cka", "train_error_0", "train_error_1")


def continued_epoch(zoo: Zoo, options: AnnotationOptions) -> int | None:
    """The later epoch at which the zoo's pairs were compared again by the same definition; None: there is none."""
    pairs = zoo.pairs
    known = all(name in pairs for name in _NEEDED) and "continued_train_loss" in zoo.table
    if not known or former_definition(zoo) != options.settled_definition().name:
        return None
    later = pairs["epoch"][pairs["epoch"] > zoo.card.measured_epoch]
    return int(later.max()) if len(later) else None


def former_definition(zoo: Zoo) -> str:
    """By which definition the zoo was measured before; where its card does not say, it was grown here."""
    record = zoo.card.annotation or {}
    definition = record.get("definition", {})
    return str(definition.get("name", "wslbench")) if isinstance(definition, dict) else "wslbench"


def continued_runs(zoo: Zoo, epoch: int) -> pd.DataFrame:
    """A row a run at the continued epoch: train loss, and the error at the ends of the curves between the seeds."""
    table = zoo.table
    runs = table[table["measured"].to_numpy(dtype=bool)][["cell_id", "seed", "continued_train_loss"]]
    runs = runs.rename(columns={"continued_train_loss": "train_loss"}).reset_index(drop=True)
    pairs = zoo.pairs
    pairs = pairs[pairs["epoch"] == epoch]
    ends = [
        pairs[["cell_id", f"seed_{side}", f"train_error_{t}"]].set_axis(["cell_id", "seed", "error"], axis=1)
        for side, t in (("a", 0), ("b", 1))
    ]
    error = pd.concat(ends).groupby(["cell_id", "seed"], as_index=False)["error"].first()
    runs = runs.merge(error, on=["cell_id", "seed"], how="left", validate="1:1")
    return runs.assign(epoch=epoch, dead=False, diverged=~np.isfinite(runs["train_loss"].to_numpy(dtype=np.float64)))
