"""``fpipe doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from fpipe.cli.common import json_option, print_json

EXAMPLE = """\b
Example:
  fpipe doctor --folder /srv/galleries
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=".",
    help="Where galleries are to be kept: its disk is looked at.",
)
@json_option
def command(folder: Path, as_json: bool) -> int:
    """Say what this installation and machine are, and try one sample print.

    Exit 0 where all is well, 1 where something is not.
    """
    from fpipe.service.doctor import examine
    from fpipe.service.versions import versions

    findings = examine(folder)
    well = all(finding.ok for finding in findings)
    if as_json:
        checks = [{"name": f.name, "ok": f.ok, "found": f.found} for f in findings]
        print_json({"ok": well, "checks": checks, "versions": versions()})
    else:
        for name, version in versions().items():
            click.echo(f"   {name} {version}")
        for finding in findings:
            click.echo(f"{'ok ' if finding.ok else 'BAD'}{finding.name}: {finding.found}")
    return 0 if well else 1
