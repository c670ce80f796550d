"""``taskaffinity data``: original distributions to task files, and their counts beside those that are known."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from taskaffinity.cli import inspect

if TYPE_CHECKING:
    from taskaffinity.corpora.access import Agreement
    from taskaffinity.corpora.check import CheckRow
    from taskaffinity.corpora.prepare import PreparedTask


class DiscontinuousName(StrEnum):
    whole = "whole"
    first = "first"
    parts = "parts"
    drop = "drop"


class FormName(StrEnum):
    original = "original"
    blue = "blue"


app = typer.Typer(
    help="Fetch, prepare and check the corpora of the paper, and open clinical ones.", no_args_is_help=True
)
app.command("inspect")(inspect.command)


@app.command("fetch")
def fetch_command(
    corpus: Annotated[str, typer.Argument(help="One of those that `taskaffinity data list` names.")],
    raw: Annotated[
        Path | None, typer.Option(help="Folder for the original distribution.", show_default="raw/CORPUS")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the task files.", envvar="TASKAFFINITY_DATA")] = Path("data"),
    mirror: Annotated[
        str | None,
        typer.Option(
            help="Address that takes the place of https://raw.githubusercontent.com; the paths below it are the same.",
            envvar="TASKAFFINITY_MIRROR",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Download an openly available corpus, and prepare it.

    Files are pinned by commit and sha256, and verified before they are kept; started again, it goes on where it
    stood. Proxies are those of HTTPS_PROXY and NO_PROXY. A corpus that stands under an agreement is not downloaded:
    where to ask for it is printed.
    """
    from taskaffinity.cli.console.progress import bytes_bar
    from taskaffinity.corpora.access import AGREEMENTS
    from taskaffinity.corpora.fetch import GITHUB, OPEN, fetch, pinned
    from taskaffinity.corpora.prepare import find_corpus, prepare
    from taskaffinity.errors import InputError
    from taskaffinity.tasks.formats import CARD

    tasks = find_corpus(corpus).tasks
    raw = raw or Path("raw") / corpus
    again = f"taskaffinity data prepare {corpus} --raw {shlex.quote(str(raw))} --out {shlex.quote(str(out))}"
    if corpus in AGREEMENTS:
        _print_agreement(AGREEMENTS[corpus], raw, again)
        raise InputError(f"{corpus} stands under an agreement: nothing was fetched")
    pins = pinned(corpus)
    repositories = dict.fromkeys(pin.repository for pin in pins)
    print(f"{corpus}: {OPEN[corpus].licence}")
    print(f"  from {', '.join(f'github.com/{name}' for name in repositories)}", flush=True)
    with bytes_bar(corpus, quiet=quiet) as show:
        n_fetched = fetch(corpus, raw, mirror or GITHUB, show)
    print(f"{raw}: {n_fetched:,} of {len(pins):,} files fetched, {len(pins) - n_fetched:,} were there")
    if all((out / task / CARD).exists() for task in tasks):
        print(f"{out}: {', '.join(tasks)} there already; anew: {again}")
    else:
        _print_prepared(prepare(corpus, raw, out))


@app.command("prepare")
def prepare_command(
    corpus: Annotated[
        str, typer.Argument(help="A corpus that `taskaffinity data list` names; of BLUE's files a task.")
    ],
    raw: Annotated[Path, typer.Option(help="Folder of the original distribution, or of BLUE's own TSV files.")],
    out: Annotated[Path, typer.Option(help="Folder for the task files.")],
    form: Annotated[
        FormName,
        typer.Option("--format", help="The original distribution, or BLUE's own train.tsv, dev.tsv, test.tsv."),
    ] = FormName.original,
    dev_ids: Annotated[
        Path | None,
        typer.Option(
            help="File of the documents (clinicalsts: rows) of the dev part, one a line, where none is official."
        ),
    ] = None,
    discontinuous: Annotated[
        DiscontinuousName,
        typer.Option(help="shareclefe: tag a mention in parts as a whole, by its first part, as parts, or not."),
    ] = DiscontinuousName.whole,
) -> None:
    """Turn a distribution into task files (JSON Lines, one a split)."""
    from taskaffinity.corpora.choices import Choices, read_ids
    from taskaffinity.corpora.prepare import prepare

    choices = Choices(read_ids(dev_ids) if dev_ids else (), discontinuous.value)
    _print_prepared(prepare(corpus, raw, out, choices, form.value))


@app.command("check")
def check_command(data: Annotated[Path, typer.Argument(help="Folder of the task files.")]) -> None:
    """Count what the task files hold, beside what is known of them, with the reason for each difference.

    Known are Table 1 and BLUE's classes for the paper's corpora; for the open clinical ones, what their authors state
    or a search of the original files finds.
    """
    from taskaffinity.corpora.check import check, class_differences
    from taskaffinity.corpora.known_counts import TABLE_1

    rows = check(data)
    console = Console(highlight=False, soft_wrap=True)
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
    for found in classes:
        difference = f"{found.task} {found.part} {found.label} {found.count - found.blue:+,}"
        console.print(f"{difference} beside BLUE's {found.blue:,}: {found.reason or 'not explained'}")
    unexplained = any(row.status == "unexplained" for row in rows) or any(not found.reason for found in classes)
    if unexplained or not all(row.intact for row in rows):
        raise typer.Exit(1)


@app.command("list")
def list_command() -> None:
    """The corpora that can be prepared, and the tasks they give."""
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
    print(f"  ask for access: {agreement.ask}")
    print(f"  unpack it, so that these lie in {raw}:")
    for name in agreement.files:
        print(f"    {name}")
    print(f"  then: {then}")


def _table(rows: Sequence[CheckRow], known: str, blue: str = "") -> Table:
    """A row a split; what is known of its count, and of its negatives if BLUE is asked, under headings of their own."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("task", "split", "rows", "count", known, "negatives", *filter(None, [blue]), "status"):
        table.add_column(name, justify="left" if name in ("task", "split", "status") else "right", no_wrap=True)
    for row in rows:
        numbers = [row.rows, row.count, row.known, row.negatives, *([row.blue_negatives] if blue else [])]
        status = row.status if row.intact else "CHANGED"
        table.add_row(row.task, row.split, *("" if n is None else f"{n:,}" for n in numbers), status)
    return table
