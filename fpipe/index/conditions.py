"""One condition on what a record says: NAME=VALUE, with * for any text, NAME>=VALUE, NAME<=VALUE."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Self

from fpipe.core.errors import BadParameter

_FORM = re.compile(r"(?s)(.*?)(>=|<=|=)(.*)")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Condition:
    """NAME=VALUE: exactly, an asterisk standing for any text; an empty VALUE means records that say nothing.
    NAME>=VALUE, NAME<=VALUE: numbers by their size, all else in the order of the text, so that days as 2026-01-31 are
    in the order of time; what begins with VALUE meets both.

    Characters that are written in two ways in Unicode, and digits of any script, are the same.
    """

    name: str
    sign: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """``case=12``.

        Raises BadParameter where it is of none of the three forms.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            expected = "FIELD=VALUE, FIELD>=VALUE or FIELD<=VALUE"
            raise BadParameter(where="selection", name="where", got=text, expected=expected)
        return cls(*found.groups())

    def __str__(self) -> str:
        return f"{self.name}{self.sign}{self.value}"

    def meets(self, said: str | None) -> bool:
        """Whether a record that says this, or nothing, is meant."""
        if said is None:
            return self.sign == "=" and not self.value
        said, value = _one_way(said), _one_way(self.value)
        if self.sign == "=":
            return said == value if _ANY not in value else _pattern(value).fullmatch(said) is not None
        if _NUMBER.fullmatch(said) and _NUMBER.fullmatch(value):
            numbers = Decimal(said), Decimal(value)  # exactly: numbers of documents have more digits than a float
            return numbers[0] >= numbers[1] if self.sign == ">=" else numbers[0] <= numbers[1]
        return said >= value if self.sign == ">=" else said[: len(value)] <= value


def _one_way(text: str) -> str:
    """The text in one of the ways in which it can be written."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(sign, sign)) for sign in unicodedata.normalize("NFC", text))


@lru_cache(maxsize=64)
def _pattern(value: str) -> re.Pattern[str]:
    return re.compile("(?s)" + ".*".join(map(re.escape, re.split(r"\*+", value))))
