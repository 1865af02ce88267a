"""A folder that one command fills: who may, what it was asked for, and what an interrupted run left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fpipe.core.errors import UsageError
from fpipe.core.files import disk_errors, write_atomic
from fpipe.store.lock import held

RECIPE, LOCK = "synth.json", "lock"
_UNFINISHED = re.compile(r"\..+\.tmp")

Advance = Callable[[int], None]


@contextlib.contextmanager
def claimed(out: Path, recipe: Mapping[str, Any], contents: Iterable[str]) -> Iterator[None]:
    """Hold the folder ``out`` for what ``recipe`` (JSON-able) asks for; made where it is missing.

    contents : names that belong in it besides the recipe's.  What an interrupted run left unfinished is cleared.

    Raises UsageError where other things are there or it was filled otherwise, Locked where another command fills it,
    DiskFull.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(reason=f"{out}: a file is there, expected a folder")
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    _refuse_foreign(out, {*contents, RECIPE, LOCK})
    with held(out):
        _settle_recipe(out, recipe, contents)
        _clear_unfinished(out)
        yield


def _refuse_foreign(out: Path, known: set[str]) -> None:
    with disk_errors(out):
        names = sorted(entry.name for entry in os.scandir(out))
    foreign = [name for name in names if name not in known and not _UNFINISHED.fullmatch(name)]
    if foreign:
        told = f"{', '.join(foreign[:3])}{', ...' if len(foreign) > 3 else ''}"
        raise UsageError(reason=f"{out}: other files are there ({told}); choose a new or empty folder")


def _settle_recipe(out: Path, recipe: Mapping[str, Any], contents: Iterable[str]) -> None:
    """Write what is asked for; where it is written already, it must be the same."""
    path = out / RECIPE
    if not path.exists():
        orphans = [name for name in contents if (out / name).exists()]
        if orphans:
            reason = f"{out}: {orphans[0]} is there, but no {RECIPE} that says how it was made"
            raise UsageError(reason=f"{reason}; choose a new or empty folder")
        write_atomic(path, (json.dumps(recipe, indent=2) + "\n").encode())
        return
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(reason=f"{path}: not readable ({error}); choose a new or empty folder") from error
    if found != json.loads(json.dumps(recipe)):
        other = found if isinstance(found, dict) else {}
        differ = [name for name in recipe if other.get(name) != recipe[name]] or sorted(other.keys() - recipe.keys())
        told = ", ".join(f"{name} {_short(other.get(name))} there, {_short(recipe.get(name))} asked" for name in differ)
        raise UsageError(reason=f"{out}: it was filled otherwise ({told}); choose a new folder, or the same options")


def _short(value: Any) -> str:
    """A recipe's value for a person."""
    return "others" if isinstance(value, dict) else str(value)


def _clear_unfinished(out: Path) -> None:
    """In the folder and in those directly in it."""
    with disk_errors(out):
        for folder in (out, *(path for path in out.iterdir() if path.is_dir() and not path.name.startswith("."))):
            for path in [path for path in folder.iterdir() if _UNFINISHED.fullmatch(path.name)]:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
