"""An archive of drawn ten-print cards, enrolled: speed, memory, what is left out; and the same killed again and again.

    python benchmarks/archive.py [--cards 2000] [--fingers 200] [--jobs 2] [--kill-every 20] [--preset NAME]
                                 [--seed 0] [--out FOLDER]

Each card is an ANSI/NIST file of ten rolled prints (Type-14, WSQ).  Only ``--fingers`` different fingers are drawn;
cards beyond that show the same ones again, cut out elsewhere and with another contrast, so that no two pictures are
alike.  One card of a hundred (of fewer where there are fewer than 400) is damaged: by turns cut in half, one of its
pictures cut, emptied; another one is there twice under two names.  With FOLDER, what was drawn is used again.

Measured: prints a second; the share of the processes' time that was not spent in reading pictures and extraction (the
start of the processes, handing over, storing), and with the reading; the memory of the command by quarters of the run
and of all its processes together; whether what was left out is exactly what was damaged.  Then the same with
``kill -9`` every so many seconds, repeated until it ends: the digest of the content must be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fpipe.core.conventions import PPI
from fpipe.core.errors import FpipeError
from fpipe.core.types import GrayImage
from fpipe.formats import read_picture, write_picture
from fpipe.formats.exchange.building import Envelope, compose, text_record
from fpipe.formats.exchange.records import DATA, Record
from fpipe.service.synth_prints import LABELS, PRINTS, Order, synth_prints
from fpipe.service.workers import spread

POSITIONS = range(1, 11)
A_FOLDER = 500
"""Cards in a folder."""
MARGIN = 24
"""Pixels by which a picture is cut out elsewhere."""


@dataclass(frozen=True)
class Archive:
    """What is drawn.

    cards : all, the damaged ones among them; copies come on top
    """

    cards: int
    fingers: int
    seed: int

    def place(self, card: int, name: str = "") -> str:
        return f"{card // A_FOLDER:03d}/{card:06d}{name}.an2"

    def damage(self, card: int) -> str:
        """How a card is damaged; "" for most."""
        return ("cut", "picture", "empty")[card // self.every % 3] if card % self.every == self.every // 2 else ""

    def copied(self, card: int) -> bool:
        return card % self.every == 0

    @property
    def every(self) -> int:
        """Of so many cards one is damaged and one is there twice."""
        return 100 if self.cards >= 400 else max(self.cards // 4, 2)

    def left_out(self, folder: Path) -> set[str]:
        """Names of what can't be used."""
        names = set()
        for card in range(self.cards):
            whole = (folder / self.place(card)).as_posix()
            if self.damage(card):
                names.add(f"{whole}#{POSITIONS[-1]}" if self.damage(card) == "picture" else whole)
        return names

    def prints(self) -> int:
        """That can be used, copies not counted."""
        lost = {"": 0, "picture": 1, "cut": len(POSITIONS), "empty": len(POSITIONS)}
        return sum(len(POSITIONS) - lost[self.damage(card)] for card in range(self.cards))


@dataclass
class Memory:
    """MiB over time: of the command, and of all its processes (shared pages counted in each)."""

    command: list[float] = field(default_factory=list)
    together: list[float] = field(default_factory=list)

    def sample(self, process: int) -> None:
        sizes = {process: resident(process)}
        running = [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]
        parents = {pid: parent_of(pid) for pid in running}
        for _ in range(3):  # workers, and their decoders
            sizes.update({pid: resident(pid) for pid, parent in parents.items() if parent in sizes})
        self.command.append(sizes[process])
        self.together.append(sum(sizes.values()))

    def quarters(self) -> str:
        step = max(len(self.command) // 4, 1)
        return ", ".join(f"{max(self.command[i : i + step]):.0f}" for i in range(0, 4 * step, step) if self.command[i:])


def resident(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except (OSError, IndexError):
        return 0.0


def parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


# -- drawing -----------------------------------------------------------------------------------------------------------


def draw(archive: Archive, out: Path, jobs: int) -> Path:
    """The folder of cards; what is there already stays."""
    recipe = f"{archive.fingers}-{archive.seed}"
    drawn, cards = out / f"drawn-{recipe}", out / f"cards-{recipe}-{archive.cards}"
    order = Order(archive.fingers, impressions=0, rolled=1, difficulty="good", seed=archive.seed)
    if not (drawn / LABELS).exists():
        synth_prints(drawn, order, jobs=jobs)
    for number in range(0, archive.cards, A_FOLDER):
        (cards / archive.place(number)).parent.mkdir(parents=True, exist_ok=True)
    work = partial(draw_card, archive, drawn / PRINTS, cards)
    for _ in spread(work, range(archive.cards), jobs, died):
        pass
    return cards


def died(card: int) -> None:
    raise FpipeError(reason=f"card {card}: the process that drew it died")


def draw_card(archive: Archive, drawn: Path, cards: Path, card: int) -> None:
    path = cards / archive.place(card)
    if not path.exists():
        rng = np.random.default_rng((archive.seed, card))
        sources = sorted(drawn.iterdir())
        places = [sources[(card * len(POSITIONS) + position) % len(sources)] for position in POSITIONS]
        pictures = [changed(read_picture(place).pixels, rng) for place in places]
        data = tenprint(card, pictures, cut_last=archive.damage(card) == "picture")
        keep = {"cut": len(data) // 2, "empty": 0}.get(archive.damage(card), len(data))
        write(path, data[:keep])
    if archive.copied(card):
        write(cards / archive.place(card, " again"), path.read_bytes())


def write(path: Path, data: bytes) -> None:
    """Whole or not at all, so that drawing can be interrupted."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_bytes(data)
    unfinished.replace(path)


def changed(pixels: GrayImage, rng: np.random.Generator) -> GrayImage:
    """The same finger, another picture."""
    down, right = rng.integers(0, MARGIN, 2)
    height, width = pixels.shape[0] - MARGIN, pixels.shape[1] - MARGIN
    cut = pixels[down : down + height, right : right + width]
    return np.clip(np.rint(255 - (255 - cut.astype(float)) * rng.uniform(0.85, 1)), 0, 255).astype(np.uint8)


def tenprint(card: int, pictures: list[GrayImage], *, cut_last: bool) -> bytes:
    envelope = Envelope("TPIS", "20260101", "ARCHIVE", "DRAWN", f"CARD{card:06d}", domain="DRAWN")
    records = [text_record(2, [(2, "00"), (18, f"بطاقة {card}")])]
    for position, pixels in zip(POSITIONS, pictures, strict=True):
        records.append(picture_record(position, pixels, cut=cut_last and position == POSITIONS[-1]))
    return compose(envelope, records).to_bytes()


def picture_record(position: int, pixels: GrayImage, *, cut: bool) -> Record:
    """A Type-14 record of a rolled print in WSQ."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "print.wsq"
        write_picture(path, pixels, PPI)
        data = path.read_bytes()
    height, width = pixels.shape
    said = {
        3: 1,
        4: "DRAWN",
        5: "20260101",
        6: width,
        7: height,
        8: 1,
        9: PPI,
        10: PPI,
        11: "WSQ20",
        12: 8,
        13: position,
    }
    texts = [(number, str(value)) for number, value in said.items()]
    return text_record(14, [(2, f"{position:02d}"), *texts, (DATA, data[: len(data) // 2] if cut else data)])


# -- enrolling ---------------------------------------------------------------------------------------------------------


def fpipe(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "fpipe", "gallery", *map(str, arguments)]


def must(*arguments: object) -> str:
    done = subprocess.run(fpipe(*arguments), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"gallery {arguments}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def enrol(
    gallery: Path, cards: Path, jobs: int, preset: list[str], kill_after: float | None, memory: Memory
) -> list[dict[str, Any]] | None:
    """What one run told; None where it was killed."""
    log = gallery.with_suffix(".jsonl")
    start = time.monotonic()
    with log.open("wb") as stream:
        command = fpipe("add", gallery, cards, "--jobs", jobs, "--json", *preset)
        with subprocess.Popen(command, stdout=stream) as process:
            while process.poll() is None:
                memory.sample(process.pid)
                if kill_after is not None and time.monotonic() - start > kill_after:
                    process.kill()
                    break
                time.sleep(0.25)
    if process.returncode not in (0, 3):
        if process.returncode != -9:
            raise RuntimeError(f"gallery add: exit {process.returncode}")
        return None
    with log.open(encoding="utf-8") as told:
        return [json.loads(line) for line in told]


def content(gallery: Path) -> str:
    must("check", gallery)
    return str(json.loads(must("show", gallery, "--json"))["digest"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cards", type=int, default=2000)
    parser.add_argument("--fingers", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kill-every", type=float, default=20.0, help="seconds; 0 leaves the second part out")
    parser.add_argument("--preset")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    archive = Archive(options.cards, options.fingers, options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(measure(archive, options.out or Path(scratch), options))


def measure(archive: Archive, out: Path, options: argparse.Namespace) -> int:
    cards = draw(archive, out, options.jobs)
    preset = ["--preset", options.preset] if options.preset else []
    print(f"{archive.cards} cards of {len(POSITIONS)} prints from {archive.fingers} drawn fingers,", end=" ")
    print(f"1 of {archive.every} damaged, 1 of {archive.every} twice; {options.jobs} jobs")
    work = Path(tempfile.mkdtemp(prefix="galleries-", dir=out))
    whole, memory = work / "whole", Memory()
    must("create", whole)
    told = enrol(whole, cards, options.jobs, preset, None, memory)
    assert told is not None
    *items, summary = told
    wrong = faults(archive, cards, items, summary)
    digest = content(whole)
    report(summary, memory, options.jobs, wrong)
    if options.kill_every:
        killed = work / "killed"
        must("create", killed)
        kills, after = 0, options.kill_every
        while enrol(killed, cards, options.jobs, preset, after, Memory()) is None:
            kills += 1
            if '"added"' not in killed.with_suffix(".jsonl").read_text("utf-8"):
                after *= 1.5  # so slow a machine would never come to an end
        same = content(killed) == digest
        print(
            f"| kill -9 every {options.kill_every:g} s | {kills} kills, digest {'identical' if same else 'DIFFERS'} |"
        )
        wrong += not same
    return int(bool(wrong))


def faults(archive: Archive, cards: Path, items: list[dict[str, Any]], summary: dict[str, Any]) -> int:
    """What is not as it was drawn, printed."""
    left_out = {item["file"] for item in items if item["status"] == "quarantined"}
    expected = archive.left_out(cards)
    copies = len(POSITIONS) * sum(map(archive.copied, range(archive.cards)))
    pairs = {
        "left out though whole": sorted(left_out - expected),
        "not left out though damaged": sorted(expected - left_out),
        "prints, expected": [] if summary["prints"] == archive.prints() else [summary["prints"], archive.prints()],
        "copies known, expected": [] if summary["known"] == copies else [summary["known"], copies],
    }
    for what, found in pairs.items():
        if found:
            print(f"{what}: {found[:10]}")
    return sum(bool(found) for found in pairs.values())


def report(summary: dict[str, Any], memory: Memory, jobs: int, wrong: int) -> None:
    seconds, steps = summary["seconds"], summary["steps"]
    beyond = 1 - sum(steps.values()) / (seconds * jobs)
    pictures = 1 - (sum(steps.values()) - steps["read"]) / (seconds * jobs)
    print("| | |\n|---|---|")
    print(f"| prints added, known, left out | {summary['added']}, {summary['known']}, {summary['quarantined']} |")
    print(f"| left out exactly what was damaged | {'yes' if not wrong else 'NO'} |")
    print(f"| prints/s | {summary['added'] / seconds:.2f} ({seconds:.0f} s) |")
    spent = ", ".join(f"{step} {spent:.1f} s" for step, spent in steps.items())
    print(f"| beyond reading and extraction | {100 * beyond:.1f} % of {jobs} x {seconds:.0f} s ({spent}) |")
    print(f"| the same with the decoding of pictures | {100 * pictures:.1f} % |")
    print(f"| memory of the command by quarters | {memory.quarters()} MiB |")
    print(f"| memory of all processes, largest | {max(memory.together):.0f} MiB |", flush=True)


if __name__ == "__main__":
    main()
