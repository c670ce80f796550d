"""``taskaffinity predict DIR FILE``: print the predictions of a model, one JSON object per text."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Annotated

import typer

from taskaffinity.atomic import atomic_write
from taskaffinity.cli.console.progress import bytes_bar
from taskaffinity.cli.options.run import Quiet, ShareWithGroup
from taskaffinity.errors import InputError, input_error, printable, quoted
from taskaffinity.output_file import PREDICTIONS, check_output
from taskaffinity.private import file_mode
from taskaffinity.runs.best_model import best_model
from taskaffinity.tasks.unlabelled import read_unlabelled

_REPORT_EVERY = 10_000
_FIELDS = ("text", "text_pair", "options", "group", "id")
_DEVICE_NAMES = {"cuda": "GPU", "cpu": "CPU"}


def command(
    model: Annotated[
        Path,
        typer.Argument(help="Folder written by `taskaffinity export`, or with --task a results folder with models."),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            help="Text: .txt (one text per line), .jsonl (one object per line with text, text_pair, options or words), "
            "or .csv or .tsv with a header."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="File to write, as JSON Lines (default: standard output).")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a column, as text=NAME, text_pair=NAME, options=NAME,NAME,..., id=NAME, or group=NAME if "
            "each option has its own row; repeatable.",
            metavar="FIELD=NAME",
        ),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="Task of the results folder; its best model on dev predicts, as in `export`.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="With --task: the run whose model predicts.")] = None,
    share_with_group: ShareWithGroup = False,
    quiet: Quiet = False,
) -> None:
    """Predict labels, scores or mentions for unlabelled text, one JSON object per text."""
    if not file.is_file():
        raise input_error(file, "no file", "a .txt, .jsonl, .csv or .tsv file")
    names = _columns(columns or [])
    if out is not None:
        check_output(out, PREDICTIONS, "output of `predict`", inputs=[file])
    if share_with_group and out is None:
        raise InputError("--share-with-group: is for the file of --out; give --out too")
    if run is not None and task is None:
        raise InputError(f"--run {run}: chooses a run of a results folder; give --task too")
    from taskaffinity.training.execute import gpus  # torch: only after the input is checked
    from taskaffinity.training.export.predictor import Predictor

    device = "cuda" if gpus() else "cpu"
    size, number = file.stat().st_size, 0
    name_of_file = printable(file.name)
    with (
        _in_memory(model, device),
        _exported(model, task, run) as folder,
        _written(out, share_with_group) as target,
        bytes_bar(name_of_file, quiet=quiet) as show,
    ):
        predictor = Predictor(folder, device)
        for row, found in predictor.predict(read_unlabelled(file, predictor.meta.kind, names)):
            name = {} if row.id is None else {"id": row.id}
            line = json.dumps({"line": row.line, **name, **found}, ensure_ascii=False)
            target.write(line.encode() + b"\n")
            number += 1
            show(row.end, size)
            if not quiet and not number % _REPORT_EVERY and not sys.stderr.isatty():
                print(f"{number} texts, {100 * row.end / size:.0f}% of {name_of_file}", file=sys.stderr)
    if not quiet:
        print(f"{number} texts of {name_of_file}{f' in {printable(str(out))}' if out else ''}", file=sys.stderr)


def _columns(given: list[str]) -> dict[str, str]:
    """Read ``--columns``: field -> column."""
    columns = {}
    for one in given:
        field, equals, column = one.partition("=")
        if not equals or not column or field not in _FIELDS or field in columns:
            expected = "text=NAME, text_pair=NAME, options=NAME,NAME,..., group=NAME or id=NAME, each once"
            raise input_error("--columns", quoted(one), expected)
        columns[field] = column
    return columns


@contextmanager
def _exported(model: Path, task: str | None, run: str | None) -> Iterator[Path]:
    """Yield an exported folder: the given one, or a temporary export of a task of a results folder."""
    if task is None:
        yield model
        return
    stored = best_model(model, task, run)
    from taskaffinity.training.export.export import export

    with TemporaryDirectory() as place:
        folder = Path(place) / "model"
        export(stored, folder)
        yield folder


@contextmanager
def _in_memory(model: Path, device: str) -> Iterator[None]:
    """Turn a lack of memory into a one-line error."""
    from taskaffinity.training.encoders.load_errors import is_lack_of_memory

    try:
        yield
    except Exception as error:
        if not is_lack_of_memory(error):
            raise
        mend = (
            "end other programs on it, or set CUDA_VISIBLE_DEVICES= to use the CPU" if device == "cuda" else "free some"
        )
        raise InputError(f"{model}: too little memory on this machine's {_DEVICE_NAMES[device]}; {mend}") from error


@contextmanager
def _written(out: Path | None, share_with_group: bool) -> Iterator[IO[bytes]]:
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    else:
        with atomic_write(out, file_mode(share_with_group)) as file:
            yield file
