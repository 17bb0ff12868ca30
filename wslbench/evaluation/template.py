"""The file that ``wslbench new`` writes: a method that works, and says where to begin."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from wslbench.errors import MethodError

TEMPLATE: Final = '''"""What the method does, and which paper it comes from."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from wslbench import Models
from wslbench.encodings import statistics
from wslbench.typing import Context


class MyMethod:
    """A random forest on the mean, spread and percentiles of every weight tensor."""

    def fit(self, models: Models, target: np.ndarray, context: Context) -> None:
        """Learn from networks and their targets.

        models    networks: `models[3].state_dict()`, `models[3].module()`, or stacked arrays of one architecture
                  at a time from `models.by_architecture()`
        target    what to predict, one a network: phases as strings, or numbers
        context   task, classes, groups (keep a group together in inner validation), seed, device, deadline
        """
        self.classes = list(context.classes)
        forest = RandomForestClassifier if self.classes else RandomForestRegressor
        self.forest = forest(n_estimators=200, min_samples_leaf=2, random_state=context.seed)
        features = statistics(models)
        self.columns = features.columns
        self.forest.fit(self._fill(features), target)

    def predict(self, models: Models) -> np.ndarray:
        """Predict: [n, len(context.classes)] probabilities for phases, [n] values for numbers.

        Called with a few networks at a time; a prediction must not depend on the others in the call.
        """
        features = self._fill(statistics(models).reindex(columns=self.columns))
        if not self.classes:
            return self.forest.predict(features)
        probabilities = np.zeros((len(models), len(self.classes)))
        # A phase that is missing from the train side has no column in the forest.
        seen = [self.classes.index(phase) for phase in self.forest.classes_]
        probabilities[:, seen] = self.forest.predict_proba(features)
        return probabilities

    def _fill(self, features):
        # NaN marks tensors that an architecture lacks.
        return features.fillna(0.0).to_numpy()
'''


def write_template(path: Path) -> None:
    """Write the template, unless something is there already.

    Raises
    ------
    MethodError
        If the file exists, does not end in ``.py``, or its folder is missing or not writable.
    """
    if path.suffix != ".py":
        raise MethodError(f"{path} does not end in .py: a method is one class in one Python file.")
    if not path.parent.is_dir():
        raise MethodError(f"{path} cannot be written: there is no folder {path.parent}. Make it first.")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEMPLATE)
    except FileExistsError:
        raise MethodError(f"{path} exists already, and is left as it is. Choose another name.") from None
    except OSError as error:
        raise MethodError(f"{path} cannot be written: {os.strerror(error.errno or 0)}.") from error
