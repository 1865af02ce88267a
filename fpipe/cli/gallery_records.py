"""``fpipe gallery``: what it says of prints and subjects, and how that is corrected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fpipe.cli.common import Text, example, gallery_argument, json_option, notice, print_json, print_json_with_list, say
from fpipe.cli.selecting import selection_options

if TYPE_CHECKING:
    from fpipe.index import Selection

reason_option = click.option("--reason", type=Text(), help="Why; kept in the gallery's log.")


@click.command(
    "list",
    epilog=example("fpipe gallery list G", "fpipe gallery list G --where case=12 --hand left --json"),
)
@gallery_argument
@selection_options
@json_option
def list_(gallery: Path, selection: Selection, as_json: bool) -> None:
    """List the prints of GALLERY, or those that all the options given mean."""
    from fpipe.index import Gallery
    from fpipe.service.records import each_listed, said_of

    with Gallery.open(gallery) as opened:
        records = each_listed(opened, selection)
        if as_json:
            rest = {"extraction_digests": opened.extraction_digests(), "selection": selection.as_document()}
            print_json_with_list("prints", (record.as_document() for record in records), rest)
            return
        count = 0
        for count, record in enumerate(records, 1):  # noqa: B007 - told at the end
            said = " ".join(said_of(record))
            say(f"{record.print}  {record.kind}, {record.minutiae} minutiae{f'  ({said})' if said else ''}")
        say(f"{count} prints")


@click.command(epilog=example("fpipe gallery show G --json", "fpipe gallery show G cards/12_right_index.png"))
@gallery_argument
@click.argument("name", type=Text(), metavar="[PRINT]", required=False)
@json_option
def show(gallery: Path, name: str | None, as_json: bool) -> None:
    """GALLERY in numbers, or everything it says of one PRINT and whether its original is there.

    The digest is of the records' content alone: two galleries of the same prints
    have the same, however the prints came there.
    """
    from fpipe.index import Gallery
    from fpipe.service.records import overview

    with Gallery.open(gallery) as opened:
        if name is None:
            document = overview(opened)
        else:
            record = opened.named(name)
            there = opened.original(record) is not None
            linked = list(opened.subjects.person(record.subject)) if record.subject else []
            document = {**record.as_document(), "original": there, "person": linked}
    if as_json:
        print_json(document)
    else:
        _print_facts(document)


def _print_facts(document: dict[str, Any]) -> None:
    for key, value in document.items():
        say(f"{key:18} {_in_words(value)}".rstrip())


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_in_words(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


@click.command(epilog=example("fpipe gallery subjects G --json"))
@gallery_argument
@json_option
def subjects(gallery: Path, as_json: bool) -> None:
    """The persons in GALLERY with their prints; linked subjects are one person."""
    from fpipe.index import Gallery
    from fpipe.service.records import persons

    with Gallery.open(gallery) as opened:
        found, links = persons(opened), opened.subjects.links()
        nameless = len(opened.print_ids()) - sum(len(person.prints) for person in found)
    if as_json:
        people = [person.as_document() for person in found]
        print_json({"persons": people, "links": links, "without_subject": nameless})
        return
    for person in found:
        say(f"{' = '.join(person.subjects)}: {len(person.prints)} prints")
        for record in person.prints:
            say(f"  {record.print}  {' '.join(part for part in (record.kind, record.finger) if part)}")
    say(f"{len(found)} persons, {nameless} prints without a subject")


@click.command(
    "set",
    epilog=example(
        "fpipe gallery set G cards/12.png finger=right_index case=12",
        'fpipe gallery set G --subject "grave 3, body 17" grave=3 dna_number=D-118 --reason "list of 3 May"',
    ),
)
@gallery_argument
@click.argument("changes", nargs=-1, required=True, type=Text(), metavar="[PRINT] NAME=VALUE...")
@selection_options
@reason_option
@json_option
def set_(gallery: Path, changes: tuple[str, ...], selection: Selection, reason: str | None, as_json: bool) -> None:
    """Say something else of stored prints: subject, finger, or any field.

    Of one PRINT, or of all that the options mean.  An empty value takes a field
    away.  The log keeps what was said before until the print is removed.
    """
    from fpipe.service.records import amend, parse_changes

    wanted: str | Selection = selection
    if not selection:
        wanted, *rest = changes
        if not rest:
            raise click.UsageError("name a PRINT and what to set, or say with --subject or --where which are meant")
        changes = tuple(rest)
    meant, changed = amend(gallery, wanted, parse_changes(changes), reason=reason)
    if as_json:
        print_json({"prints": meant, "changed": changed})
    else:
        say(f"{meant} prints, {changed} changed")


@click.command(epilog=example('fpipe gallery link G "grave 3, body 17" "Ahmad 1961" --reason "DNA report 118"'))
@gallery_argument
@click.argument("one", type=Text(), metavar="SUBJECT")
@click.argument("other", type=Text(), metavar="SUBJECT")
@reason_option
@json_option
def link(gallery: Path, one: str, other: str, reason: str | None, as_json: bool) -> None:
    """Say that two subjects are one person; their prints stay as they are."""
    from fpipe.index import Gallery

    with Gallery.open(gallery, write=True) as opened:
        fresh = opened.subjects.link(one, other, reason=reason)
        person = opened.subjects.person(one)
    if not fresh:
        notice(f"{one} and {other} were linked already")
    _print_person(person, as_json)


@click.command(epilog=example('fpipe gallery unlink G "grave 3, body 17" "Ahmad 1961" --reason "wrong report"'))
@gallery_argument
@click.argument("one", type=Text(), metavar="SUBJECT")
@click.argument("other", type=Text(), metavar="SUBJECT")
@reason_option
@json_option
def unlink(gallery: Path, one: str, other: str, reason: str | None, as_json: bool) -> None:
    """Take a link between two subjects back; the log keeps both."""
    from fpipe.index import Gallery

    with Gallery.open(gallery, write=True) as opened:
        opened.subjects.unlink(one, other, reason=reason)
        person = opened.subjects.person(one)
    _print_person(person, as_json)


def _print_person(subjects: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        print_json({"person": list(subjects)})
    else:
        say(" = ".join(subjects))


COMMANDS = (list_, show, subjects, set_, link, unlink)
