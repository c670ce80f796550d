"""Coverage-guided fuzzing of the readers: no broken file may do more than end with one line.

    pip install -e ".[fuzz]"
    python tests/benchmarks/fuzz.py READER [--seconds 600] [--out FOLDER]

READER is json, csv, tsv, conll, brat, xml, yaml, lines (the corpora's other formats), mentions (at offsets),
tables (scores, predictions, facts, files of a results folder), suites (data files with the other keys of a suite file),
bigbio (documents with mentions and relations), fasttext, or all. atheris mutates the small valid files of
``fuzz_readers.py``; ``fuzz_readers.check`` says what no input may do. A finding does not end the run: its input is kept
in ``FOLDER/READER/found``, one for each place. Writes one row per reader into ``results/fuzz.csv``.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "fuzz.csv"
NAMES = (
    "json",
    "csv",
    "tsv",
    "conll",
    "brat",
    "xml",
    "yaml",
    "lines",
    "mentions",
    "tables",
    "suites",
    "bigbio",
    "fasttext",
)
COLUMNS = ("reader", "seconds", "executions", "findings")
_LONGEST_INPUT = 4096
_CHILD = "import fuzz, pathlib, sys; fuzz.child(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:])"


def fuzz(reader: str, seconds: int, out: Path) -> dict[str, object]:
    """Fuzz a reader in its own process; return its row of the CSV."""
    for name in ("corpus", "found"):
        (out / reader / name).mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={seconds}", f"-max_len={_LONGEST_INPUT}", "-timeout=20", "-rss_limit_mb=3000"]
    arguments = [*limits, "-verbosity=0", f"-artifact_prefix={out / reader / 'found'}/", str(out / reader / "corpus")]
    done = subprocess.run([sys.executable, "-c", _CHILD, reader, str(out), *arguments], cwd=HERE, check=False)
    report = json.loads((out / reader / "outcome.json").read_text())
    if done.returncode:
        report["found"].append(f"the process ended with {done.returncode}")
    for found in report["found"]:
        print(f"{reader}: {found}")
    return {
        "reader": reader,
        "seconds": seconds,
        "executions": report["executions"],
        "findings": len(report["found"]),
    }


def child(reader: str, out: Path, arguments: Sequence[str]) -> None:
    """Fuzz in this process; ``outcome.json`` has the number of executions and the findings so far."""
    import atheris  # type: ignore[import-not-found]

    with atheris.instrument_imports(include=["taskaffinity", "yaml", "fuzz_readers", "fuzz_suites"]):
        import fuzz_readers
    work = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    for seed in fuzz_readers.seeds(reader):
        (out / reader / "corpus" / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    report: dict[str, object] = {"executions": 0, "found": []}
    found: set[str] = set()
    n, last = 0, time.monotonic()

    def write() -> None:
        report.update(executions=n, found=sorted(found))
        (out / reader / "outcome.json").write_text(json.dumps(report))

    def one(data: bytes) -> None:
        nonlocal n, last
        n += 1
        try:
            fuzz_readers.check(reader, work, data)
        except fuzz_readers.BrokenError as error:
            if str(error) not in found:
                found.add(str(error))
                (out / reader / "found" / hashlib.sha256(str(error).encode()).hexdigest()[:12]).write_bytes(data)
                write()
        if time.monotonic() - last > 1:
            write()
            last = time.monotonic()

    write()
    atheris.Setup([sys.argv[0], *arguments], one)
    atheris.Fuzz()


def write_rows(rows: Sequence[dict[str, object]], path: Path = RESULTS) -> None:
    """Replace the rows of these readers in the CSV; the others stay."""
    before = list(csv.DictReader(path.read_text().splitlines())) if path.is_file() else []
    kept = {row["reader"]: dict(row) for row in [*before, *rows]}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept[name] for name in NAMES if name in kept)


def main() -> None:
    """Fuzz the readers that the command line names, one after the other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("reader", choices=(*NAMES, "all"))
    parser.add_argument("--seconds", type=int, default=600, help="for each reader")
    parser.add_argument("--out", type=Path, help="folder of inputs (default: a temporary one)")
    given = parser.parse_args()
    out = (given.out or Path(tempfile.mkdtemp(prefix="fuzz-"))).resolve()
    for reader in NAMES if given.reader == "all" else (given.reader,):
        write_rows([fuzz(reader, given.seconds, out)])
    print(f"inputs: {out}")


if __name__ == "__main__":
    main()
