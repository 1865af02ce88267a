"""The documents say what the program does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from fpipe.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parent.parent


def test_the_command_reference_is_current(tmp_path: Path) -> None:
    made = tmp_path / "cli.md"
    subprocess.run([sys.executable, ROOT / "docs" / "make_cli_reference.py", made], check=True)
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == made.read_text(encoding="utf-8"), "run `make docs`"


def test_every_command_in_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^ {4}fpipe ([a-z]+)", text, re.MULTILINE))
    assert named
    assert named <= set(COMMANDS)


def test_every_local_link_in_the_documents_leads_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_command_has_an_example_and_every_floor_is_described() -> None:
    reference = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"## fpipe {name}" in reference
    assert reference.count("Example:") >= len(COMMANDS)
    architecture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for folder in (ROOT / "fpipe").iterdir():
        if folder.is_dir() and (folder / "__init__.py").exists():
            assert f"`{folder.name}/`" in architecture
