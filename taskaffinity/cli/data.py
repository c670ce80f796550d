"""``taskaffinity data``: convert original corpora to task files, and check their counts."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from taskaffinity.cli import inspect

if TYPE_CHECKING:
    from taskaffinity.corpora.access import Agreement
    from taskaffinity.corpora.check import CheckRow
    from taskaffinity.corpora.prepare import PreparedTask


ShareWithGroup = Annotated[
    bool,
    typer.Option(
        "--share-with-group",
        help="Let your group read the task files (modes 0640 and 0750); otherwise only you can.",
    ),
]
app = typer.Typer(help="Download, convert, check and inspect task data.", no_args_is_help=True)
app.command("inspect")(inspect.command)


@app.command("fetch")
def fetch_command(
    corpus: Annotated[str, typer.Argument(help="A corpus; `taskaffinity data list` names them.")],
    raw: Annotated[Path | None, typer.Option(help="Folder for the original files.", show_default="raw/CORPUS")] = None,
    out: Annotated[Path, typer.Option(help="Folder to write the task files to.", envvar="TASKAFFINITY_DATA")] = Path(
        "data"
    ),
    mirror: Annotated[
        str | None,
        typer.Option(
            help="Address of a mirror of https://raw.githubusercontent.com, with the same paths.",
            envvar="TASKAFFINITY_MIRROR",
        ),
    ] = None,
    share_with_group: ShareWithGroup = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no progress.")] = False,
) -> None:
    """Download an open corpus and convert it to task files.

    Each file is pinned by commit and sha256, and verified. An interrupted download resumes. HTTPS_PROXY and NO_PROXY
    set the proxies. A corpus under a data use agreement is not downloaded; the command prints how to get access.
    """
    from taskaffinity.atomic import remove_litter
    from taskaffinity.cli.console.progress import bytes_bar
    from taskaffinity.corpora.access import AGREEMENTS
    from taskaffinity.corpora.fetch import GITHUB, OPEN, fetch, pinned
    from taskaffinity.corpora.prepare import find_corpus, prepare
    from taskaffinity.errors import InputError
    from taskaffinity.tasks.formats import CARD

    tasks = find_corpus(corpus).tasks
    raw = raw or Path("raw") / corpus
    again = f"taskaffinity data prepare {corpus} --raw {shlex.quote(str(raw))} --out {shlex.quote(str(out))}"
    again += " --share-with-group" * share_with_group
    if corpus in AGREEMENTS:
        _print_agreement(AGREEMENTS[corpus], raw, again)
        raise InputError(f"{corpus} is under a data use agreement: nothing was downloaded")
    pins = pinned(corpus)
    repositories = dict.fromkeys(pin.repository for pin in pins)
    print(f"{corpus}: {OPEN[corpus].licence}")
    print(f"  from {', '.join(f'github.com/{name}' for name in repositories)}", flush=True)
    with bytes_bar(corpus, quiet=quiet) as show:
        n_fetched = fetch(corpus, raw, mirror or GITHUB, show)
    print(f"{raw}: {n_fetched:,} of {len(pins):,} files downloaded, {len(pins) - n_fetched:,} existed")
    remove_litter(out)
    if all((out / task / CARD).exists() for task in tasks):
        print(f"{out}: {', '.join(tasks)} exist already; to convert again: {again}")
    else:
        _print_prepared(prepare(corpus, raw, out, share_with_group=share_with_group))


@app.command("prepare")
def prepare_command(
    corpus: Annotated[
        str, typer.Argument(help="A corpus; `taskaffinity data list` names them. With --format blue: a task.")
    ],
    raw: Annotated[Path, typer.Option(help="Folder of the original files, or of BLUE's TSV files.")],
    out: Annotated[Path, typer.Option(help="Folder to write the task files to.")],
    form: Annotated[
        Literal["original", "blue"],
        typer.Option(
            "--format",
            help="original: the corpus as its authors distribute it. blue: BLUE's train.tsv, dev.tsv and test.tsv.",
        ),
    ] = "original",
    dev_ids: Annotated[
        Path | None,
        typer.Option(
            help="File with the document ids of the dev set, one per line, for a corpus without an official dev set "
            "(clinicalsts: train. and the line, such as train.7)."
        ),
    ] = None,
    discontinuous: Annotated[
        Literal["whole", "first", "parts", "drop"],
        typer.Option(
            help="How shareclefe tags a discontinuous mention: as a whole, its first part, each part, or not at all."
        ),
    ] = "whole",
    share_with_group: ShareWithGroup = False,
) -> None:
    """Convert a corpus on your disk to task files (JSON Lines, one file per split)."""
    from taskaffinity.corpora.choices import Choices, read_ids
    from taskaffinity.corpora.prepare import prepare

    choices = Choices(read_ids(dev_ids) if dev_ids else (), discontinuous)
    _print_prepared(prepare(corpus, raw, out, choices, form, share_with_group=share_with_group))


@app.command("check")
def check_command(data: Annotated[Path, typer.Argument(help="Folder of the task files.")]) -> None:
    """Compare the counts of the task files with published counts, and explain each difference.

    The published counts are Table 1 of the paper and BLUE's classes. For the open clinical corpora, the authors state
    them, or a search of the original files gives them. Exit code 1: a difference is not explained.
    """
    from taskaffinity.corpora.check import check, class_differences
    from taskaffinity.corpora.known_counts import TABLE_1

    rows = check(data)
    console = Console(highlight=False, soft_wrap=True, markup=False)
    others = [row for row in rows if row.known_by != TABLE_1]
    if len(others) < len(rows):
        console.print(_table([row for row in rows if row.known_by == TABLE_1], TABLE_1, "BLUE's"))
    if others:
        console.print(_table(others, "known"))
    for task, source in dict.fromkeys((row.task, row.known_by) for row in others if row.known_by):
        console.print(f"{task}: known from {source}")
    for row in rows:
        if row.difference:
            console.print(f"{row.task} {row.split} {row.difference:+,}: {row.reason or 'not explained'}")
    classes = class_differences(rows)
    for one in classes:
        difference = f"{one.task} {one.part} {one.label} {one.count - one.blue:+,}"
        console.print(f"{difference} against BLUE's {one.blue:,}: {one.reason or 'not explained'}")
    unexplained = any(row.status == "unexplained" for row in rows) or any(not one.reason for one in classes)
    if unexplained or not all(row.intact for row in rows):
        raise typer.Exit(1)


@app.command("list")
def list_command() -> None:
    """List the corpora and the tasks of each."""
    from taskaffinity.corpora.prepare import CORPORA

    for name, corpus in CORPORA.items():
        print(f"{name}: {', '.join(corpus.tasks)}")


def _print_prepared(tasks: list[PreparedTask]) -> None:
    for task in tasks:
        counts = ", ".join(f"{split} {entry.rows} rows" for split, entry in task.card.counts.items())
        print(f"{task.folder}: {counts}")
        for note, said in task.card.notes.items():
            print(f"  {note.replace('_', ' ')}: {said if isinstance(said, str) else format(said, ',')}")


def _print_agreement(agreement: Agreement, raw: Path, then: str) -> None:
    print(f"{agreement.title}: not openly available")
    print(f"  get access: {agreement.ask}")
    print(f"  unpack it so that {raw} has these files:")
    for name in agreement.files:
        print(f"    {name}")
    print(f"  then: {then}")


def _table(rows: Sequence[CheckRow], known: str, blue: str = "") -> Table:
    """Return a table with one row per split.

    It has the counts, the published count and, if any, BLUE's negatives.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("task", "split", "rows", "count", known, "negatives", *filter(None, [blue]), "status"):
        table.add_column(name, justify="left" if name in ("task", "split", "status") else "right", no_wrap=True)
    for row in rows:
        numbers = [row.rows, row.count, row.known, row.negatives, *([row.blue_negatives] if blue else [])]
        status = row.status if row.intact else "CHANGED"
        table.add_row(row.task, row.split, *("" if n is None else f"{n:,}" for n in numbers), status)
    return table
