"""Kill -9 at random moments of the commands that write to a gallery; what was promised must hold after each.

    python benchmarks/kill.py [--trials 20] [--prints 1500] [--pictures 12] [--seed 0] [--only COMMAND]
        [--out FOLDER]

Real command-line processes on drawn prints: pictures (the samples, shifted by a pixel or more, so that each is new) and
template files (theirs, with minutiae moved), so that the storing is a good part of the work.  A moment is drawn
uniformly between the first change a command makes to the gallery's files and its usual end.  After each kill:

- the gallery opens and ``gallery check --deep`` exits 0;
- every print that was reported as added is there (check has compared its record, template and original);
- a removal is done wholly or not at all; once a writing command has run again, no file holds a byte string of the
  template, the image hash (hex or raw), the name or the subject;
- a print that was reported as re-extracted is, and every print has the template of one method or the other;
- the backups made before are whole (``gallery check`` of their folder), and restored they hold every print.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib import resources
from pathlib import Path

import numpy as np

from fpipe.formats import read_picture, to_500_ppi, write_picture
from fpipe.index import Amendment, Gallery
from fpipe.minutiae import blob
from fpipe.pipeline.extract import extract
from fpipe.pipeline.presets import load_preset
from fpipe.synth import samples

PIECE = 24
"""Bytes of a piece of a template that is searched for."""


@dataclass
class Tally:
    """What was seen of one command."""

    kills: int = 0
    ended_before: int = 0
    reported: int = 0
    lost: int = 0
    check_failed: int = 0
    halves: int = 0
    traces: int = 0
    leftovers: int = 0

    def faults(self) -> int:
        return self.lost + self.check_failed + self.halves + self.traces


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "fpipe", "gallery", *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False)


def must(*arguments: object) -> None:
    """Run a command that nobody kills."""
    done = run(*arguments)
    if done.returncode != 0:
        raise RuntimeError(f"gallery {arguments}: exit {done.returncode}: {done.stdout}{done.stderr}")


def draw(folder: Path, pictures: int, prints: int) -> None:
    """Files to enrol: ``pictures`` pictures, and template files up to ``prints`` in all."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    preset = load_preset("fast")  # what the templates hold does not matter here
    exemplars = [item["file"] for item in samples.manifest()["files"] if item["kind"] != "latent"]
    images = [to_500_ppi(read_picture(samples.folder() / name), name) for name in exemplars]
    for number in range(pictures):
        shifted = np.roll(images[number % len(images)], 1 + number // len(images), axis=1)
        write_picture(folder / f"picture-{number:05d}.png", shifted, 500.0)
    templates = [extract(image, preset) for image in images[:4]]
    for number in range(prints - pictures):
        template = templates[number % len(templates)]
        m = template.minutiae
        x = np.clip(m.x + rng.normal(0, 3, len(m)), 0, template.width - 1).astype(np.float32)
        moved = replace(template, minutiae=replace(m, x=x), source=f"{preset.extraction_digest}")
        (folder / f"template-{number:05d}.fpt").write_bytes(blob.encode(moved))


def state(gallery: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes as soon as a command changes anything."""
    found = []
    for folder in (gallery, gallery / "segments", gallery / "incoming"):
        for entry in os.scandir(folder) if folder.is_dir() else ():
            try:
                facts = entry.stat()
            except FileNotFoundError:
                continue
            found.append((entry.path, facts.st_size, facts.st_mtime_ns))
    return tuple(sorted(found))


def watched(gallery: Path, arguments: list[object], out: Path, after_s: float | None) -> tuple[bool, float]:
    """Run a command, kill it ``after_s`` after its first change; (killed, seconds from the first change to the end)."""
    before = state(gallery)
    with out.open("wb") as stream, subprocess.Popen(command(*arguments), stdout=stream, stderr=stream) as process:
        while process.poll() is None and state(gallery) == before:
            time.sleep(0.0005)
        began = time.perf_counter()
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode == -9, time.perf_counter() - began


def reported(out: Path, status: str = "added") -> set[str]:
    """Prints that a killed command said were added, or of which it said something else; a half line was not said."""
    lines = out.read_text("utf-8").split("\n")[:-1]
    items = [json.loads(line) for line in lines if line.startswith("{")]
    return {item["print"] for item in items if item.get("status") == status}


def names(gallery: Path) -> set[str]:
    with Gallery.open(gallery) as opened:
        return {record.print for record in opened.records()}


def checked(gallery: Path, tally: Tally) -> None:
    found = run("check", gallery, "--deep", "--json")
    if found.returncode != 0:
        tally.check_failed += 1
        print(found.stdout, found.stderr, file=sys.stderr)
    else:
        tally.leftovers += bool(json.loads(found.stdout)["leftovers"])


def needles(gallery: Path, chosen: list[str]) -> list[bytes]:
    """Byte strings of prints that must be gone after their removal."""
    found = []
    with Gallery.open(gallery) as opened:
        for name in chosen:
            record = opened.named(name)
            (template,) = opened.templates([record.id])
            pieces = [template[i : i + PIECE] for i in range(0, len(template) - PIECE, PIECE)]
            # Templates of one drawing share grid and header; what is the print's own is its minutiae's positions.
            own = [piece for piece in pieces[: 2 * record.minutiae // PIECE] if len(set(piece)) > PIECE // 2]
            found += [name.encode(), record.sha256.encode(), bytes.fromhex(record.sha256), *own]
    return found


def found_in(gallery: Path, wanted: list[bytes]) -> int:
    content = [path.read_bytes() for path in gallery.rglob("*") if path.is_file()]
    file_names = "\n".join(path.name for path in gallery.rglob("*")).encode()
    return sum(any(needle in data for data in (*content, file_names)) for needle in wanted)


def add(work: Path, files: Path, trials: int, rng: random.Random, tally: Tally) -> None:
    """Each trial goes on where the last was killed, and starts anew once all is in."""
    gallery, out, scratch = work / "added", work / "add.out", work / "whole"
    must("create", scratch)
    _, usual = watched(scratch, ["add", scratch, files, "--json", "--mixed"], out, None)
    everything = names(scratch)
    shutil.rmtree(scratch)
    while tally.kills < trials:
        if not gallery.exists() or len(names(gallery)) > 0.7 * len(everything):
            shutil.rmtree(gallery, ignore_errors=True)
            must("create", gallery)
            said: set[str] = set()
        left = usual * (1 - len(names(gallery)) / len(everything))
        killed, _ = watched(gallery, ["add", gallery, files, "--json", "--mixed"], out, rng.uniform(0, left))
        tally.kills += killed
        tally.ended_before += not killed
        said |= reported(out)
        tally.reported += len(reported(out))
        checked(gallery, tally)
        tally.lost += len(said - names(gallery))
    if run("add", gallery, files, "--mixed").returncode not in (0, 3) or names(gallery) != everything:
        tally.lost += 1


def named(gallery: Path, chosen: list[str], subject: str) -> None:
    """Give prints a subject of their own."""
    with Gallery.open(gallery, write=True) as opened:
        records = [opened.named(name) for name in chosen]
        opened.amend([Amendment(r.id, subject, r.finger, r.fields) for r in records])


def remove(work: Path, files: Path, trials: int, rng: random.Random, tally: Tally, *, by_subject: bool = False) -> None:
    gallery, out = work / f"removed-{by_subject}", work / "remove.out"
    must("create", gallery)
    must("add", gallery, files, "--mixed")
    known = min(files.iterdir())
    first = sorted(names(gallery))[-3:]
    _, usual = watched(gallery, ["remove", gallery, *first], out, None)
    while tally.kills < trials:
        here = sorted(names(gallery) - {known.as_posix()})
        chosen = rng.sample(here, 3)
        wanted = needles(gallery, chosen)
        which: list[object] = [*chosen]
        if by_subject:
            subject = f"Zażółć {rng.getrandbits(64):016x}"
            named(gallery, chosen, subject)
            wanted.append(subject.encode())
            which = ["--subject", subject, "--reason", "a trial"]
        killed, _ = watched(gallery, ["remove", gallery, *which], out, rng.uniform(0, usual))
        tally.kills += killed
        tally.ended_before += not killed
        checked(gallery, tally)
        left = set(chosen) & names(gallery)
        tally.halves += len(left) not in (0, 3)
        if left:
            must("remove", gallery, *left)
        else:
            must("add", gallery, known, "--mixed")  # any writing command finishes a removal
            tally.reported += 3
        tally.traces += found_in(gallery, wanted)
        tally.lost += len(set(here) - set(chosen) - names(gallery))


def rebuild(work: Path, files: Path, trials: int, rng: random.Random, tally: Tally) -> None:
    gallery, out = work / "rebuilt", work / "rebuild.out"
    must("create", gallery)
    must("add", gallery, files, "--mixed")
    here = names(gallery)
    _, usual = watched(gallery, ["rebuild", gallery], out, None)
    while tally.kills < trials:
        killed, _ = watched(gallery, ["rebuild", gallery], out, rng.uniform(0, usual))
        tally.kills += killed
        tally.ended_before += not killed
        checked(gallery, tally)
        tally.lost += len(here - names(gallery))


def presets(work: Path) -> list[Path]:
    """Two ways of reading that differ."""
    text = (resources.files("fpipe.pipeline") / "presets" / "fast.toml").read_text("utf-8")
    made = [work / "one.toml", work / "other.toml"]
    made[0].write_text(text, "utf-8")
    made[1].write_text(text.replace("blur_px = 1.0", "blur_px = 1.6"), "utf-8")
    return made


def methods(gallery: Path) -> dict[str, str]:
    with Gallery.open(gallery) as opened:
        return {r.print: r.extraction_digest for r in opened.records() if r.format != "template"}


def reextract(work: Path, files: Path, trials: int, rng: random.Random, tally: Tally) -> None:
    """Each trial goes on where the last was killed; once all is read by one way, the other one's turn begins."""
    gallery, out = work / "reextracted", work / "reextract.out"
    ways = presets(work)
    must("create", gallery)
    must("add", gallery, files, "--mixed", "--preset", ways[0])
    here = names(gallery)
    _, usual = watched(gallery, ["reextract", gallery, "--preset", ways[1]], out, None)
    ends = {methods(gallery)[name] for name in methods(gallery)}
    way = 0
    while tally.kills < trials:
        killed, _ = watched(
            gallery, ["reextract", gallery, "--preset", ways[way], "--json"], out, rng.uniform(0, usual)
        )
        tally.kills += killed
        tally.ended_before += not killed
        checked(gallery, tally)
        said, now = reported(out, "reextracted"), methods(gallery)
        tally.reported += len(said)
        tally.lost += len(here - names(gallery)) + sum(now[name] in ends for name in said)
        if not killed:
            ends, way = set(now.values()), 1 - way
            tally.halves += len(ends) != 1


def backup(work: Path, files: Path, trials: int, rng: random.Random, tally: Tally) -> None:
    """Each trial makes a backup beside a whole one, and now and then all of it from nothing."""
    gallery, folder, out = work / "backed-up", work / "backups", work / "backup.out"
    must("create", gallery)
    must("add", gallery, files, "--mixed")
    here = names(gallery)
    must("backup", gallery, folder)
    _, usual = watched(folder, ["backup", gallery, folder], out, None)
    shutil.rmtree(folder)
    _, first = watched(folder, ["backup", gallery, folder], out, None)
    while tally.kills < trials:
        if anew := rng.random() < 0.5:
            shutil.rmtree(folder)
        killed, _ = watched(folder, ["backup", gallery, folder], out, rng.uniform(0, first if anew else usual))
        tally.kills += killed
        tally.ended_before += not killed
        if anew and run("backup", gallery, folder).returncode:  # whatever was left there, the next one works
            tally.lost += 1
        checked(folder, tally)
        must("restore", folder, work / "restored")
        checked(work / "restored", tally)
        tally.lost += len(here - names(work / "restored"))
        tally.reported += len(here)
        shutil.rmtree(work / "restored")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20, help="kills of each command")
    parser.add_argument("--prints", type=int, default=1500)
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None, help="scratch folder; a temporary one by default")
    parser.add_argument("--only", choices=["add", "remove", "remove --subject", "rebuild", "reextract", "backup"])
    options = parser.parse_args()
    rng = random.Random(options.seed)
    work = Path(tempfile.mkdtemp(prefix="fpipe-kill-", dir=options.out))
    files = work / "files"
    draw(files, options.pictures, options.prints)
    parts: dict[str, Callable[[Path, Path, int, random.Random, Tally], None]]
    parts = {"add": add, "remove": remove, "remove --subject": partial(remove, by_subject=True), "rebuild": rebuild}
    parts |= {"reextract": reextract, "backup": backup}
    faults = 0
    print(
        "| command | kills | ended before | reported | leftovers seen | lost | check failed | half removed | traces |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, part in parts.items():
        if options.only not in (None, name):
            continue
        t = Tally()
        part(work, files, options.trials, rng, t)
        faults += t.faults()
        cells = (t.kills, t.ended_before, t.reported, t.leftovers, t.lost, t.check_failed, t.halves, t.traces)
        print(f"| gallery {name} | {' | '.join(map(str, cells))} |", flush=True)
    shutil.rmtree(work)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
