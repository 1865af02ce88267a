"""Stage parameters and digests.

A stage is a frozen dataclass whose fields are its parameters and whose ``__call__`` is the algorithm.  Its digest names
class, ``version`` and parameters: two results with the same digest were made by the same method with the same settings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from fpipe.core.errors import BadParameter


@dataclass(frozen=True, slots=True)
class Params:
    """Base of every stage.  Raise ``version`` when the same parameters give other results than before."""

    version: ClassVar[int] = 1

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], where: str) -> Self:
        """Build from a preset's table; an unknown name or a wrong type is an error that lists what there is."""
        known = {f.name: f.default for f in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise BadParameter(
                    where=where, name=name, got=value, expected=f"one of {', '.join(known) or 'nothing'}"
                )
            default = known[name]
            number = isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool)
            if not number and type(value) is not type(default):
                raise BadParameter(where=where, name=name, got=value, expected=f"a {type(default).__name__}")
        return cls(**values)

    def describe(self) -> dict[str, Any]:
        """JSON-able: method, version and parameters."""
        return {"method": type(self).__name__, "version": self.version, "parameters": asdict(self)}


def digest(parts: Iterable[Any]) -> str:
    """First 16 hex digits of the sha256 of the canonical JSON of JSON-able parts."""
    text = json.dumps(list(parts), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
