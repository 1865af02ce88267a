"""Accuracy on the shared protocols, scored by the shared scorer; prints the Markdown tables of RESULTS.md.

    python benchmarks/accuracy.py --out out/accuracy         # pictures: the whole chain
    python benchmarks/accuracy.py --out out/leader --leader  # the matcher alone, on the minutiae of LEADER

Needs the data folder and its scorer beside it; writes scores, plots and metrics under --out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

SETS = ("crossmatch", "fvc2000_db1", "fvc2002_db1", "fvc2002_db3", "fvc2004_db1", "fvc2004_db2")
PEERS = {  # the data folder's PEERS.md: EER / FNMR at FMR 0.1 %
    "mindtct+bozorth3": ("1.10/1.65", "10.50/23.21", "4.29/11.07", "8.73/28.21", "11.42/41.07", "14.44/38.21"),
    "SourceAFIS": ("1.37/2.20", "3.93/8.57", "3.19/5.71", "11.43/27.50", "8.93/22.50", "12.50/22.50"),
    "LEADER + SourceAFIS match": ("0.96/0.96", "0.17/0.36", "0.71/0.71", "1.07/3.93", "3.21/9.29", "5.36/12.50"),
    "LEADER + trial match": ("0.33/0.41", "0.00/0.00", "0.36/0.36", "0.71/0.71", "1.07/2.50", "1.79/3.93"),
}


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--leader", action="store_true")
    parser.add_argument("--jobs", default="2")
    parser.add_argument("--candidates", default="100", help="for the FAISS path; 0 leaves it out")
    args = parser.parse_args()
    data, bench, lists = args.shared / "data", args.shared / "bench", args.out / "lists"
    fpipe = Path(sys.executable).with_name("fpipe")
    run(sys.executable, bench / "protocols.py", data / "labels.csv", lists)
    templates = ["--templates", bench / "leader_minutiae"] if args.leader else []
    common = ["--data", data, "--jobs", args.jobs, "--cache", args.out / "cache", *templates]

    def score(task: str, name: str, *options: object) -> dict[str, float]:
        start = time.perf_counter()
        out = args.out / name
        run(fpipe, "evaluate", task, *common, "--out", out, *options)
        text = run(sys.executable, bench / "score.py", task, out / "scores.csv", data / "labels.csv", "--json")
        found: dict[str, float] = json.loads(text)
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        return found

    verify = {name: score("verify", name, "--pairs", lists / f"verify_{name}.csv") for name in SETS}
    rows = [f"{v['eer']:.2f}/{v['fnmr_at_fmr_0.1']:.2f}" for v in verify.values()]
    print("EER / FNMR at FMR 0.1 %, percent\n")
    print("| | " + " | ".join(SETS) + " |\n|---|" + "---|" * len(SETS))
    print("| **fpipe** | " + " | ".join(rows) + " |")
    for peer, figures in PEERS.items():
        print(f"| {peer} | " + " | ".join(figures) + " |")
    means = [sum(v[key] for v in verify.values()) / len(SETS) for key in ("eer", "fnmr_at_fmr_0.1")]
    print(f"\nMean over the sets: EER {means[0]:.2f}, FNMR at FMR 0.1 % {means[1]:.2f}\n")

    print("| 1:N | rank 1 | rank 5 | rank 20 | FNIR at FPIR 1 % | at 10 % |\n|---|---|---|---|---|---|")
    for name, options in (
        ("plain", []),
        ("latent", []),
        ("latent-faiss", ["--candidates", args.candidates]),
        ("plain-faiss", ["--candidates", args.candidates]),
    ):
        if options and args.candidates == "0":
            continue
        kind = name.split("-")[0]
        pair = ["--gallery", lists / f"{kind}_gallery.txt", "--probes", lists / f"{kind}_probes.txt"]
        found = score("identify", name, *pair, *options)
        keys = ("rank_1", "rank_5", "rank_20", "fnir_at_fpir_1", "fnir_at_fpir_10")
        print(f"| {name} {' '.join(map(str, options))} | " + " | ".join(f"{found[key]:.1f}" for key in keys) + " |")


if __name__ == "__main__":
    main()
