"""Presets: a TOML file that names a method for every stage and its parameters."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from fpipe.core.errors import BadParameter, UnknownMethod
from fpipe.core.params import Params, digest
from fpipe.pipeline.stages import CLASSICAL, COMPARISON, LEARNED

PRESETS = ("plain", "latent", "fast")
"""The presets that ship: ``plain`` for plain and rolled prints, ``latent`` for marks, ``fast`` without the network."""

KIND_PRESET = {"plain": "plain", "rolled": "plain", "latent": "latent"}
"""Impression type -> the preset that reads it."""


@dataclass(frozen=True, slots=True)
class Preset:
    """The stages of one way to read a picture.

    extraction_digest : 16 hex digits over every stage's method, version and parameters
    """

    name: str
    stages: Mapping[str, Params]

    @property
    def extraction_digest(self) -> str:
        return digest([stage, method.describe()] for stage, method in self.stages.items())


@lru_cache
def load_preset(name: str) -> Preset:
    """A preset by its name, or from a TOML file by its path (anything ending in .toml)."""
    document = _read(name, PRESETS)
    return Preset(Path(name).stem, _stages(document, LEARNED if "reading" in document else CLASSICAL, name))


@lru_cache
def load_comparison() -> Mapping[str, Params]:
    """The stages that compare templates: descriptors, votes, match.  One set for all: scores must mean the same."""
    return _stages(_read("comparison", ("comparison",)), COMPARISON, "comparison")


def _read(name: str, known: tuple[str, ...]) -> dict[str, Any]:
    if name in known:
        return tomllib.loads((resources.files("fpipe.pipeline") / "presets" / f"{name}.toml").read_text("utf-8"))
    path = Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise BadParameter(where="--preset", name="preset", got=name, expected=f"{', '.join(known)} or a TOML file")
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadParameter(where=name, name="preset", got=str(error), expected="a TOML file") from error


def _stages(document: dict[str, Any], table: dict[str, dict[str, type[Any]]], where: str) -> dict[str, Params]:
    for stage, values in document.items():
        if stage not in table or not isinstance(values, dict):
            raise BadParameter(where=where, name=stage, got=values, expected=f"a table for each of {', '.join(table)}")
    stages: dict[str, Params] = {}
    for stage, methods in table.items():
        values = dict(document.get(stage, {}))
        method = values.pop("method", None)
        if method not in methods:
            raise UnknownMethod(stage=f"{where}: [{stage}]", got=method, known=", ".join(methods))
        stages[stage] = methods[method].from_mapping(values, f"{where}: [{stage}]")
    return stages
