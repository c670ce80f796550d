"""What does a crash, a damaged file or a hostile neighbour cost? The right value of every column is 0.

    python tests/benchmarks/faults.py [--share 0.1] [--seed 0] [--part kills] [--few] [--out CSV] [--cases FILE]

* Kills: every command is killed at file-system events and at random moments, and repeated. What it leaves is compared
  with what an undisturbed command leaves.
* Damaged inputs: every file that is read is damaged in its bytes, its lines, its numbers and what its format holds.
* Surroundings: two pid namespaces on one folder, a full disk, mirrors, caches and encoders of somebody else. What this
  machine does not permit is tried 0 times.

The world is invented, and every word of its corpus is a sentinel that no message may quote. Linux; about half an hour
on two cores. With ``--share`` a part of the kills and the damages. Exit code 1: a value is not 0.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from fault_commands import import_everything
from fault_inputs import damage_campaign
from fault_kills import COMMANDS, Bench, finished, kill_campaign, mirror
from fault_places import full_disk, hostile_caches, hostile_encoders, hostile_mirrors, two_containers
from fault_tally import Tally, write_table
from fault_world import make_world

RESULTS = Path(__file__).parent / "results"


FEW = ("pairwise", "export", "data prepare", "data fetch", "init")
"""Commands that ``--few`` kills."""


PARTS = ("kills", "surroundings", "inputs")


def campaign(root: Path, seed: int, share: float, few: bool, parts: Collection[str] = PARTS) -> list[Tally]:
    """Run the scenarios of some parts with a share of the kills and of the damages; or a few of the scenarios."""
    import_everything()
    world = make_world(root / "world", seed)
    tallies: list[Tally] = []
    with mirror(world) as port:
        bench = Bench(world, root / "places", port)
        finished(bench, few)
        if "kills" in parts:
            tallies += kill_campaign(bench, random.Random(seed), share, FEW if few else tuple(COMMANDS))
        if "surroundings" in parts and not few:
            tallies += [two_containers(bench), *full_disk(bench), hostile_mirrors(bench)]
            tallies += [hostile_caches(bench), hostile_encoders(bench)]
    if "inputs" in parts:
        (root / "damaged").mkdir()
        tallies += damage_campaign(world, bench.done, root / "damaged", seed, share)
    return tallies


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "faults.csv")
    parser.add_argument("--cases", type=Path, help="file for every fault in words")
    parser.add_argument("--few", action="store_true", help="a few commands, no surroundings")
    parser.add_argument("--part", choices=PARTS, help="one part only; the rows of the others stay")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        tallies = campaign(Path(root), asked.seed, asked.share, asked.few, [asked.part] if asked.part else PARTS)
    write_table(asked.out, tallies)
    cases = [f"{tally.scenario}: {case}\n" for tally in tallies for case in tally.cases]
    if asked.cases:
        asked.cases.write_text("".join(cases), encoding="utf-8")
    tried = sum(tally.tried for tally in tallies)
    print(f"{tried} tried, {sum(sum(tally.counts.values()) for tally in tallies)} faults: {asked.out}")
    sys.stdout.writelines(line[:300].rstrip() + "\n" for line in cases[:20])
    sys.exit(1 if cases else 0)


if __name__ == "__main__":
    main()
