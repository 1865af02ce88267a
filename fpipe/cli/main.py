"""The ``fpipe`` command: a lazy group, so that ``fpipe --help`` imports nothing heavy, and the one error handler."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from io import TextIOWrapper
from typing import NoReturn

import click

from fpipe import __version__
from fpipe.cli.common import shown
from fpipe.core.errors import FpipeError

COMMANDS = {
    "inspect": "What fpipe makes of a picture, template or ANSI/NIST file.",
    "convert": "A picture as lossless gray PNG or TIFF, a template in another format.",
    "enhance": "The enhanced picture of a print.",
    "extract": "The minutiae of a print as a template file.",
    "compare": "Two prints: score and paired minutiae.",
    "gallery": "Create, fill, list, check and mend a gallery.",
    "search": "Latents against a gallery: ranked candidate lists.",
    "audit": "Who did what with a gallery, and whether that was changed since.",
    "evaluate": "Measure accuracy on labelled prints.",
    "synth": "Draw prints that are nobody's, for tests.",
    "demo": "Enrol the samples and search their latents.",
    "doctor": "What this installation and machine are.",
}
"""Command -> one line of help; each lives in ``fpipe/cli/<name>.py`` as ``command``."""

EXIT_CODES = """\b
Exit codes: 0 done; 1 failed; 2 wrong usage; 3 done in part (some inputs left
out, listed); 4 nothing found (only with --fail-if-empty); 5 input refused;
6 integrity; 10 no gallery here; 11 gallery locked; 130 interrupted."""


class LazyGroup(click.Group):
    """Imports a command's module only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"fpipe.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """An unknown command is answered with the nearest known one, without importing any of them."""
        name = click.utils.make_str(args[0])
        if name not in COMMANDS:
            import difflib

            near = difflib.get_close_matches(name, COMMANDS, 1)
            ctx.fail(f"there is no command {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "auto_envvar_prefix": "FPIPE"},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="fpipe")
def main() -> None:
    """A latent print in, a ranked and explained candidate list out.

    fpipe ranks and explains; it never identifies: a human examiner decides.

    \b
    Example:
      fpipe gallery create G
      fpipe gallery add G prints/*.png --ppi 500
      fpipe search G latent.png --ppi 500 --report out
    """


def run() -> NoReturn:
    """Console entry: every error is one clear line on stderr and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # None where the program is started without it
            _let_pass_everything(stream)
    sys.exit(_guarded())


def _let_pass_everything(stream: TextIOWrapper) -> None:
    """UTF-8 for programs and files, whatever the system's language (Windows has others for them); what can't be written
    is escaped, halves of characters in names that are no text for instance, which JSON reads back."""
    if not stream.isatty():
        stream.reconfigure(encoding="utf-8")
    stream.reconfigure(errors="backslashreplace")


def _guarded() -> int:
    try:
        result = main.main(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except FpipeError as error:
        _say(error.message)
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted; what was reported as stored is safe")
        return 130
    except BrokenPipeError:  # the reader of our output has left, `| head` for instance
        _drop_output()
        return 1
    except OSError as error:  # of a disk that takes no more of our output, for instance
        _debug()
        place = error.filename or ("standard output" if _is_of_output(error) else None)
        reason = error.strerror or str(error)
        _say(f"{place}: {reason}" if place else reason)
        return 1
    except Exception as error:  # noqa: BLE001 - the one place where a bug becomes a line instead of a traceback
        _debug()
        where = traceback.extract_tb(error.__traceback__)[-1]
        _say(
            f"a fault in fpipe: {type(error).__name__}: {error} ({os.path.basename(where.filename)}:{where.lineno}); "  # noqa: PTH119
            "please report it; FPIPE_DEBUG=1 shows the whole trace"
        )
        return 1


def _is_of_output(error: OSError) -> bool:
    """Whether our output is what can't be written; what is left of it is dropped then.

    What failed is kept for the next try, but for pieces that are larger than the buffer: those came from ``echo``.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _drop_output()
        return True
    return traceback.extract_tb(error.__traceback__)[-1].name == "echo"


def _drop_output() -> None:
    """What is left of it must not be tried again when the process ends."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _debug() -> None:
    if os.environ.get("FPIPE_DEBUG"):
        traceback.print_exc()


def _say(text: str) -> None:
    click.echo(f"fpipe: error: {shown(' '.join(text.split()))}", err=True)
