"""``fpipe gallery``: what keeps its content, and what takes it away for good."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from fpipe.cli.common import Text, example, gallery_argument, json_option, notice, print_json, progress, say

if TYPE_CHECKING:
    from fpipe.service.custody import Checked, Removed


@click.command(
    epilog=example(
        "fpipe gallery remove G cards/12_right_index.png",
        'fpipe gallery remove G --subject 12 --reason "acquitted, order 4/2026"',
    )
)
@gallery_argument
@click.argument("names", nargs=-1, type=Text(), metavar="[PRINT...]")
@click.option("--subject", type=Text(), help="All prints of this subject.")
@click.option("--reason", type=Text(), help="Why: stays in the audit, so it should name nobody.")
@json_option
def remove(gallery: Path, names: tuple[str, ...], subject: str | None, reason: str | None, as_json: bool) -> int:
    """Remove PRINTs for good: records, templates, vectors and originals.

    No byte of them is left in any file of the gallery; its audit says that a
    removal happened, when, by whom and why, not of what.  Backups that still
    hold them are listed.
    """
    from fpipe.service.custody import remove as run

    if not names and subject is None:
        raise click.UsageError("name the PRINTs, or say --subject")
    done = run(gallery, names, subject=subject, reason=reason)
    if as_json:
        backups = [{"place": b.place, "backup": b.backup, "at": b.at, "holds": b.holds} for b in done.backups]
        overwritten = done.unfinished is None
        print_json(
            {"removed": done.prints, "overwritten": overwritten, "linked": list(done.linked), "backups": backups}
        )
    else:
        say(f"{done.prints} removed")
        _tell_what_stays(done, subject)
    if done.unfinished:
        notice(done.unfinished.message)
        return done.unfinished.exit_code
    return 0


def _tell_what_stays(done: Removed, subject: str | None) -> None:
    for other in done.linked:
        notice(f"{subject} is linked with {other}, whose prints stay")
    for kept in done.backups:
        what = "still holds what was removed" if kept.holds else "may hold what was removed, but can't be looked at"
        notice(f"the backup {kept.backup} in {kept.place} {what}")


@click.command(epilog=example("fpipe gallery check G && echo whole", "fpipe gallery check /media/backup --deep"))
@click.argument("gallery", type=click.Path(path_type=Path), metavar="GALLERY|BACKUPS")
@click.option("--deep", is_flag=True, help="Every byte of the database file too, those in its unused space among them.")
@json_option
def check(gallery: Path, deep: bool, as_json: bool) -> int:
    """Compare every byte of GALLERY with what was stored; exit 6 where it differs.

    Given a folder that `fpipe gallery backup` wrote to, compare every byte of it.
    """
    from fpipe.service.backup_folder import is_backup
    from fpipe.service.custody import check_backups, check_gallery

    kept = is_backup(gallery)
    done = check_backups(gallery) if kept else check_gallery(gallery, deep=deep)
    _tell_checked(done, "backups" if kept else "prints", as_json)
    return 6 if done.problems else 0


def _tell_checked(done: Checked, what: str, as_json: bool) -> None:
    if done.notice:
        notice(done.notice)
    if as_json:
        whole = not done.problems
        print_json({"whole": whole, what: done.count, "problems": done.problems, "leftovers": done.remains})
        return
    for line in done.remains:
        notice(f"{line}; the next command that writes clears it away")
    for line in done.problems:
        say(line)
    say(f"{len(done.problems)} problems" if done.problems else f"whole, {done.count} {what}")


@click.command(epilog=example("fpipe gallery backup G /media/backup", "fpipe gallery backup G /media/backup --keep 10"))
@gallery_argument
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="BACKUPS")
@click.option("--keep", type=click.IntRange(1), help="Delete the oldest backups, so that this many are left.")
@json_option
def backup(gallery: Path, folder: Path, keep: int | None, as_json: bool) -> int:
    """Add a backup of GALLERY to the folder BACKUPS, of this moment.

    Only what is not there yet is copied, of the database, too.  Others may search
    and add meanwhile.  Interrupted, it leaves the backups before it as they are.
    A file that GALLERY lacks or has damaged is listed: exit 6.
    """
    from fpipe.service.backup import back_up

    with progress("copying", None) as advance:
        done = back_up(gallery, folder, advance, keep=keep)
    if done.notice:
        notice(done.notice)
    for place in done.backup.missing:
        notice(f"{place}: missing or damaged in {gallery}, so the backup lacks it")
    if as_json:
        counts = {"files": done.files, "copied": done.copied, "bytes_copied": done.bytes}
        print_json({"backups": folder.as_posix(), **done.backup.as_document(), **counts})
    else:
        size = f"{done.bytes / 1e6:.1f} MB"
        say(f"{done.backup.id}: {done.backup.prints} prints, {done.files} files, {done.copied} copied ({size})")
    return 6 if done.backup.missing else 0


@click.command(
    epilog=example("fpipe gallery restore /media/backup G2", "fpipe gallery restore /media/backup G2 --at 000003-...")
)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="BACKUPS")
@gallery_argument
@click.option("--at", type=Text(), metavar="ID", help="Which backup; the newest by default.")
@json_option
def restore(folder: Path, gallery: Path, at: str | None, as_json: bool) -> int:
    """Make the new gallery GALLERY as it was in a backup of the folder BACKUPS.

    Every byte is compared with what was backed up.  Searches give what they gave
    then.
    """
    from fpipe.service.backup import restore as run

    with progress("copying", None) as advance:
        done = run(folder, gallery, advance, at=at)
    for place in done.missing:
        notice(f"{place}: the backup lacks it")
    if as_json:
        print_json({"gallery": gallery.as_posix(), **done.as_document()})
    else:
        say(f"{gallery}: {done.prints} prints, as of {done.at} ({done.id})")
    return 3 if done.missing else 0


COMMANDS = (remove, check, backup, restore)
