"""Write docs/cli.md, or the file that is named, from the commands themselves; a test holds the two together.

    python docs/make_cli_reference.py [FILE]

A process of its own: click keeps a command's help option from when it was first asked for, so that the reference would
depend on which commands had run before, and how.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fpipe.cli.main import COMMANDS, main

HEAD = """# Command reference

Made from the commands by `make docs`; do not edit. Results go to stdout, notices and progress to stderr.
Shell completion: `eval "$(_FPIPE_COMPLETE=bash_source fpipe)"` in `~/.bashrc` (`zsh_source`, `fish_source` and
`powershell_source` likewise). Every option can be given as an environment variable: `--ppi` of `fpipe search` is
`FPIPE_SEARCH_PPI`.
"""


def reference() -> str:
    """The whole reference as Markdown."""
    root = click.Context(main, info_name="fpipe", terminal_width=100, **main.context_settings)
    parts = [HEAD, _section(main, root)]
    for name in COMMANDS:
        parts.extend(_sections(main.get_command(root, name), root, name))
    return "\n".join(parts)


def _sections(command: click.Command | None, parent: click.Context, name: str) -> list[str]:
    assert command is not None
    context = click.Context(command, info_name=name, parent=parent)  # width and help option are the parent's
    parts = [_section(command, context)]
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            parts.extend(_sections(command.get_command(context, child), context, child))
    return parts


def _section(command: click.Command, context: click.Context) -> str:
    return f"## {context.command_path}\n\n```\n{command.get_help(context).rstrip()}\n```\n"


if __name__ == "__main__":
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("cli.md")
    out.write_text(reference(), encoding="utf-8")
