"""``python -m fpipe`` is the ``fpipe`` command."""

from fpipe.cli.main import run

if __name__ == "__main__":
    run()
