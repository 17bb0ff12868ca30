"""A definition: how order parameters are computed, as a small record with a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wslbench.errors import LandscapeError
from wslbench.training import Optimisation

DEFINITIONS_PATH = Path(__file__).resolve().parent / "definitions"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HessianSettings(_Record):
    """On how many samples, and how long, the Hessian's trace and top eigenvalue are estimated."""

    subset_size: int = Field(default=256, ge=1)
    relative_tolerance: float = Field(default=0.1, gt=0)
    maximum_probes: int = Field(default=64, ge=8)
    lanczos_iterations: int = Field(default=20, ge=2)


class CurveDefinition(_Record):
    """How curves between seeds are trained and measured.

    Attributes
    ----------
    optimisation
        None: the zoo's recipe says.
    points
        The t that are measured.
    """

    optimisation: Optimisation | None = None
    points: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)


class SimilarityDefinition(_Record):
    """What CKA compares.

    Attributes
    ----------
    layer
        A module's dotted name; None: the logits, or the last hidden layer where the output is a single number.
    side
        Of which samples.
    """

    layer: str | None = None
    side: Literal["train", "test"] = "test"


class Definition(_Record):
    """How order parameters are computed.

    Attributes
    ----------
    source
        The paper and the code that it follows.
    hessian
        None: the zoo's recipe says.
    """

    name: str
    source: str
    hessian: HessianSettings | None = None
    curve: CurveDefinition = CurveDefinition()
    similarity: SimilarityDefinition = SimilarityDefinition()

    def settled(self, curve: Optimisation | None, hessian: HessianSettings | None) -> Definition:
        """The same, with what it leaves to the zoo filled in."""
        filled = self.curve.model_copy(update={"optimisation": self.curve.optimisation or curve})
        return self.model_copy(update={"hessian": self.hessian or hessian, "curve": filled})


def load_definition(name_or_path: str) -> Definition:
    """A definition that ships with wslbench, by name, or a YAML file.

    Raises
    ------
    LandscapeError
        If there is no such definition, or the file is not a valid one.
    """
    path = DEFINITIONS_PATH / f"{name_or_path}.yaml"
    if not path.is_file():
        path = Path(name_or_path)
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in DEFINITIONS_PATH.glob("*.yaml")))
        raise LandscapeError(f"there is no definition {name_or_path!r}: there are {known}, or give a YAML file")
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Definition.model_validate(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise LandscapeError(f"{path}: {' '.join(str(error).split())}") from error
