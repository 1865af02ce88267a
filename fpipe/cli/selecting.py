"""The options that say which prints of a gallery are meant."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fpipe.cli.common import Text

if TYPE_CHECKING:
    from fpipe.index import Selection

F = TypeVar("F", bound=Callable[..., Any])

KINDS = ("plain", "rolled", "latent")


def selection_options(function: F) -> F:
    """``--subject``, ``--finger`` and so on, given to the command as one ``selection``.

    All that are given have to hold; of one that is given several times, one value has to.
    """

    @wraps(function)
    def command(*args: Any, **options: Any) -> Any:
        names = ("subjects", "fingers", "hands", "kinds", "classes", "where", "since", "until")
        return function(*args, selection=_selection(**{name: options.pop(name) for name in names}), **options)

    for option in reversed(
        (
            click.option(
                "--subject", "subjects", type=Text(), help="Prints of this subject; repeatable.", multiple=True
            ),
            click.option(
                "--finger", "fingers", type=Text(), help="Of this finger: right_index, or 2; repeatable.", multiple=True
            ),
            click.option("--hand", "hands", type=click.Choice(["right", "left"]), help="Of this hand.", multiple=True),
            click.option("--kind", "kinds", type=click.Choice(KINDS), help="Of this type; repeatable.", multiple=True),
            click.option(
                "--class", "classes", type=Text(), help="With this value of the field class; repeatable.", multiple=True
            ),
            click.option(
                "--where",
                type=Text(),
                metavar="FIELD=VALUE",
                help="With this value of any field, * for any text; also FIELD>=VALUE, FIELD<=VALUE; repeatable.",
                multiple=True,
            ),
            click.option(
                "--since", type=Text(), metavar="DAY", default="", help="Added on this day or later: 2026-01-31."
            ),
            click.option("--until", type=Text(), metavar="DAY", default="", help="Added on this day or before."),
        )
    ):
        command = option(command)
    return command  # type: ignore[return-value]


def _selection(where: tuple[str, ...], **conditions: Any) -> Selection:
    from fpipe.index import Condition, Selection

    return Selection(where=tuple(map(Condition.parse, where)), **conditions)
