"""``fpipe audit``, ``gallery backup``, ``restore``, ``check --deep``, ``remove --subject``: output and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click import UsageError
from click.testing import CliRunner, Result
from gallery_maker import filled

from fpipe.cli import audit
from fpipe.cli import gallery as gallery_commands
from fpipe.core.errors import UnknownSubject
from fpipe.index import Gallery


def run(*arguments: object) -> Result:
    command = audit.command if arguments[0] == "audit" else gallery_commands.command
    result = CliRunner().invoke(command, [str(a) for a in arguments[1:]], standalone_mode=False)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    filled(Path("G"), 5)
    return tmp_path


def test_audit_shows_verifies_and_exports(here: Path) -> None:
    heads = dict(
        line.split()[::2] for line in run("audit", "show", "G", "--head").stdout.splitlines() if " 0 " not in line
    )
    assert list(heads) == ["changes"]
    assert run("gallery", "check", "G").return_value == 0
    shown = [json.loads(line) for line in run("audit", "show", "G", "--json").stdout.splitlines()]
    assert [one["event"] for one in shown] == ["created", *["added"] * 5, "checked"]
    assert run("audit", "show", "G", "--event", "added").stdout.count("@") == 5
    assert run("audit", "show", "G", "--since", "2999-01-01").stdout == ""
    with pytest.raises(UsageError):
        run("audit", "show", "G", "--since", "yesterday")
    assert run("audit", "verify", "G", "--head", heads["changes"]).return_value == 0
    last = json.loads(run("audit", "export", "G").stdout.splitlines()[-1])["heads"]
    assert last["changes"]["chain"] == heads["changes"]
    with Gallery.open(Path("G"), write=True) as gallery:
        gallery.database.run("UPDATE log SET payload = replace(payload, 'added', 'addet') WHERE number = 3")
    done = run("audit", "verify", "G", "--json")
    assert done.return_value == 6
    assert json.loads(done.stdout)["problems"] == ["log: entry 3 was changed"]
    assert run("audit", "verify", "G", "--head", "ab" * 32).return_value == 6


def test_backup_restore_check_and_removal(here: Path) -> None:
    with Gallery.open(Path("G")) as gallery:
        record = gallery.records()[2]
    made = json.loads(run("gallery", "backup", "G", "B", "--json").stdout)
    assert (made["prints"], made["missing"], made["copied"]) == (5, [], made["files"])
    assert run("gallery", "restore", "B", "G2").stdout.startswith("G2: 5 prints")
    assert json.loads(run("gallery", "check", "B", "--deep", "--json").stdout) == {
        "whole": True,
        "backups": 1,
        "problems": [],
        "leftovers": [],
    }
    with pytest.raises(UnknownSubject):
        run("gallery", "remove", "G", "--subject", "nobody")
    with pytest.raises(UsageError):
        run("gallery", "remove", "G")
    done = run("gallery", "remove", "G", "--subject", record.subject, "--reason", "order 4")
    assert done.stdout == "1 removed\n"
    assert f"the backup {made['id']} in {(here / 'B').resolve()} still holds" in done.stderr
    again = json.loads(run("gallery", "remove", "G2", record.print, "--json").stdout)
    assert again["removed"] == 1
    assert [b["holds"] for b in again["backups"]] == [True]
    assert "order 4" in run("audit", "show", "G", "--event", "removed").stdout
    file = next(path for path in Path("B/objects").glob("*/*"))
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    done = run("gallery", "check", "B", "--deep")
    assert done.return_value == 6
    assert file.name in done.stdout
    database = Path("G/gallery.db")
    data = bytearray(database.read_bytes())
    data[95] ^= 1  # of the header, where SQLite notes which version wrote last
    database.write_bytes(bytes(data))
    assert run("gallery", "check", "G").return_value == 0
    done = run("gallery", "check", "G", "--deep")
    assert done.return_value == 6
    assert "gallery.db: bytes 0 to 65535" in done.stdout
