"""What the commands share: options with one meaning everywhere, JSON on stdout, notices and progress on stderr."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

F = TypeVar("F", bound=Callable[..., Any])
LEAST_SCALE_PX = 20
"""px between the two points of a scale: a pixel of error each would be more than a tenth on a shorter one."""


class NumberRange(click.FloatRange):
    """Numbers within limits; not ``nan``, which every comparison lets pass, and no ``inf``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is no number.", param, ctx)
        return number


class Text(click.types.StringParamType):
    """What can be stored as text: a shell may hand over bytes that are none."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text: str = super().convert(value, param, ctx)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{shown(text)} is no valid text; expected UTF-8.", param, ctx)
        return text


gallery_argument = click.argument("gallery", type=click.Path(path_type=Path))


def example(*lines: str) -> str:
    """The end of a command's help."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def json_option(function: F) -> F:
    """``--json``: one JSON document on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")(function)


def jobs_option(function: F) -> F:
    """``--jobs``: worker processes; the result never depends on it."""
    return click.option(
        "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="Worker processes; same result."
    )(function)


def ppi_option(function: F) -> F:
    """``--ppi``, ``--scale`` and ``--estimate-ppi``: the resolution, where the file does not say it or says it wrongly.

    The command gets one ``ppi``, whichever way it is given.
    """

    @click.option("--ppi", type=NumberRange(50, 10000), help="Resolution in pixels an inch; overrides the file's.")
    @click.option(
        "--scale",
        metavar="X1,Y1,X2,Y2,MM",
        callback=lambda _context, _option, value: value and scale_ppi(value),
        help="Resolution by a ruler in the picture: two points on it, px, and their distance in millimetres.",
    )
    @click.option(
        "--estimate-ppi",
        is_flag=True,
        help="Where the file states no resolution, estimate it from the ridges; marked as estimated, good to 30 %.",
    )
    @wraps(function)
    def given(*args: Any, ppi: float | None, scale: float | None, estimate_ppi: bool, **options: Any) -> Any:
        if (ppi is not None) + (scale is not None) + estimate_ppi > 1:
            raise click.UsageError("--ppi, --scale and --estimate-ppi exclude each other")
        if estimate_ppi:
            from fpipe.core.types import ESTIMATE

            return function(*args, ppi=ESTIMATE, **options)
        return function(*args, ppi=ppi if scale is None else scale, **options)

    return cast(F, given)


def scale_ppi(text: str) -> float:
    """``X1,Y1,X2,Y2,MM`` -> pixels an inch."""
    from fpipe.core.types import GivenPpi

    parts = text.split(",")
    try:
        x1, y1, x2, y2, mm = map(float, parts)
    except ValueError:
        raise click.BadParameter(f"{text!r}, expected five numbers X1,Y1,X2,Y2,MM", param_hint="--scale") from None
    distance = math.hypot(x2 - x1, y2 - y1)
    if not (math.isfinite(distance) and distance >= LEAST_SCALE_PX and math.isfinite(mm) and mm > 0):
        reason = f"{distance:g} px are {mm:g} mm; expected two points at least {LEAST_SCALE_PX} px apart and a length"
        raise click.BadParameter(reason, param_hint="--scale")
    ppi = distance / mm * 25.4
    if not 50 <= ppi <= 10000:
        raise click.BadParameter(f"{distance:g} px in {mm:g} mm are {ppi:.6g} ppi, expected 50 to 10000",
                                 param_hint="--scale")  # fmt: skip
    return GivenPpi(ppi, "scale")


def preset_option(default: str | None) -> Callable[[F], F]:
    """``--preset``: the named set of methods and parameters."""
    return click.option(
        "--preset",
        default=default,
        show_default=default is not None,
        help="Methods and parameters: plain, latent, fast, or a TOML file.",
    )


def difficulty_option(of: str) -> Callable[[F], F]:
    """``--difficulty`` of drawn prints."""
    return click.option(
        "--difficulty",
        type=click.Choice(["good", "bad", "ugly", "mixed"]),
        default="mixed",
        show_default=True,
        help=f"{of}; mixed: half good, a third bad, the rest ugly.",
    )


def format_option(function: F) -> F:
    """``--format`` of drawn pictures."""
    return click.option(
        "--format", type=click.Choice(["png", "tif", "wsq"]), default="png", show_default=True, help="Pictures."
    )(function)


def print_json(document: Any) -> None:
    """One document, UTF-8, keys in the order given."""
    click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2))


def print_json_with_list(name: str, items: Iterable[Any], rest: dict[str, Any]) -> None:
    """One document, ``name`` with a list first, item by item: there may be more of them than fit in memory."""
    between = f"{{\n  {json.dumps(name)}: [\n    "
    for item in items:
        text = json.dumps(item, ensure_ascii=False, allow_nan=False, indent=2)
        click.echo(between + text.replace("\n", "\n    "), nl=False)
        between = ",\n    "
    end = "\n  ]" if between.startswith(",") else f"{{\n  {json.dumps(name)}: []"
    click.echo(f"{end}," + json.dumps(rest, ensure_ascii=False, allow_nan=False, indent=2).removeprefix("{"))


def print_json_line(document: Any) -> None:
    """One line of a JSON-lines stream."""
    click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))


def say(text: str) -> None:
    """A line for the person on stdout."""
    click.echo(shown(text))


def notice(text: str) -> None:
    """A line for the person on stderr."""
    click.echo(f"fpipe: notice: {shown(' '.join(text.split()))}", err=True)


def shown(text: str) -> str:
    """One line as a terminal may show it: what would move its cursor, change its colours, begin a new line or turn the
    direction of writing is written out, so that no name of a file can pretend to be something else."""
    return text if text.isprintable() else "".join(map(_written_out, text))


def _written_out(sign: str) -> str:
    if unicodedata.category(sign) in _NO_SIGNS or unicodedata.bidirectional(sign) in _TURNING:
        return sign.encode("unicode_escape").decode()
    return sign


_NO_SIGNS = ("Cc", "Cs", "Zl", "Zp")
_TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal, nothing otherwise; yields ``advance(n)``."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda n: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda n: bar.advance(task, n)
