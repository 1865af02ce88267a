"""``fpipe audit``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fpipe.cli.common import example, gallery_argument, json_option, print_json, print_json_line, say

if TYPE_CHECKING:
    from fpipe.service.audit import AuditEntry


@click.group(
    epilog=example(
        "fpipe audit show G --event searched --since 2026-01-31",
        "fpipe audit verify G && fpipe audit show G --head > head.txt",
    )
)
def command() -> None:
    """Who did what with a gallery, and whether that was changed since.

    Every change and every search is noted in a chain of hashes.  Print its head
    and keep it elsewhere, signed: then nobody can write the chain anew unseen.
    docs/custody.md says what is noted.
    """


def _date(context: click.Context, option: click.Parameter, value: str | None) -> datetime | None:
    try:
        return None if value is None else datetime.fromisoformat(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}, expected a date as 2026-01-31 or 2026-01-31T12:00:00") from error


@command.command(epilog=example("fpipe audit show G --event removed", "fpipe audit show G --head"))
@gallery_argument
@click.option("--event", help="Only these: added, removed, searched, backed_up ...")
@click.option("--since", callback=_date, metavar="DATE", help="Only these and later; UTC unless it says otherwise.")
@click.option("--head", is_flag=True, help="Only where the two logs end: to be kept elsewhere and given to verify.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON line an entry.")
def show(gallery: Path, event: str | None, since: datetime | None, head: bool, as_json: bool) -> None:
    """List what happened to GALLERY, oldest first: changes and accesses.

    Of a removed print the entries say nothing any more, only that they were there.
    """
    from fpipe.index import Gallery
    from fpipe.service.audit import entries, heads

    with Gallery.open(gallery) as opened:
        if head:
            for end in heads(opened):
                if as_json:
                    print_json_line({"log": end.log, "number": end.number, "chain": end.chain})
                else:
                    click.echo(f"{end.log} {end.number} {end.chain}")
            return
        for entry in entries(opened, event=event, since=since):
            if as_json:
                print_json_line(entry.as_document())
            else:
                say(_line(entry))


def _line(entry: AuditEntry) -> str:
    said = entry.entry.payload
    place = f"{entry.log} {entry.entry.number}"
    if said is None:
        return f"{'':25}  {place:<16}  (forgotten)"
    who = f"{said.get('user', '?')}@{said.get('host', '?')}"
    return f"{entry.at:<25}  {place:<16}  {said.get('event', '?')}  {who}  {_about(said)}".rstrip()


def _about(said: dict[str, Any]) -> str:
    """What an entry is about, in a few words."""
    record = said.get("record")
    if isinstance(record, dict):
        return str(record.get("print", ""))
    names = ("latent", "one", "other", "place", "prints", "reason")
    return "  ".join(str(said[name]) for name in names if said.get(name) is not None)


@command.command(epilog=example("fpipe audit verify G --head 5d0a...e1 && echo untouched"))
@gallery_argument
@click.option(
    "--head", "heads", multiple=True, metavar="HEX", help="A chain that `audit show --head` gave; repeatable."
)
@json_option
def verify(gallery: Path, heads: tuple[str, ...], as_json: bool) -> int:
    """Whether any entry of GALLERY's audit was changed; exit 6 where one was.

    Entries at the end can only be missed by a head that was noted while they
    were there: give it with --head.
    """
    from fpipe.index import Gallery
    from fpipe.service.audit import heads as ends
    from fpipe.service.audit import problems

    with Gallery.open(gallery) as opened:
        found, last = problems(opened, heads), ends(opened)
    if as_json:
        now = {end.log: {"number": end.number, "chain": end.chain} for end in last}
        print_json({"whole": not found, "problems": found, "heads": now})
    else:
        for line in found:
            say(line)
        count = ", ".join(f"{end.number} {end.log}" for end in last)
        click.echo(f"{len(found)} problems" if found else f"whole, {count}")
    return 6 if found else 0


@command.command(epilog=example("fpipe audit export G > audit.jsonl && gpg --detach-sign audit.jsonl"))
@gallery_argument
def export(gallery: Path) -> None:
    """Print the whole audit as JSON lines with every hash, then the heads.

    It can be verified without fpipe (docs/custody.md).  It holds names: a removal
    does not reach it.
    """
    from fpipe.index import Gallery
    from fpipe.service.audit import export as lines

    with Gallery.open(gallery) as opened:
        for line in lines(opened):
            click.echo(line)
