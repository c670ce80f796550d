"""The readers that ``fuzz.py`` gives broken files, small valid files to start from, and what no input may do.

A reader takes a folder for its files and the bytes of one input. Its first byte chooses the variant, such as the kind
of the task.
"""

from __future__ import annotations

import re
import resource
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fuzz_seeds import SEEDS
from fuzz_suites import VARIANTS, brat_pairs, hallmarks, leaf_trial
from fuzz_suites import seeds as suite_seeds

from taskaffinity.analysis.encoder_folders import encoder_study_folders
from taskaffinity.analysis.estimates.stored import read_estimates
from taskaffinity.corpora import (
    bc5cdr,
    chemprot,
    clinicalsts,
    ddi2013,
    ehr_rel,
    i2b2_2010,
    mednli,
    rqe,
    shareclefe,
)
from taskaffinity.corpora.blue_rows import READERS as BLUE_READERS
from taskaffinity.corpora.choices import read_ids
from taskaffinity.corpora.original import complete_lines
from taskaffinity.errors import InputError, as_user_error, has_controls
from taskaffinity.runs.external.scoring import Scoring
from taskaffinity.runs.external.tables import read_tables
from taskaffinity.runs.recipe_file import read_recipe
from taskaffinity.runs.study import FILES, Design, Study
from taskaffinity.schedule.resources import Resources
from taskaffinity.studies.gpu_share import FILE as SHARING
from taskaffinity.studies.gpu_share import shared, stored_sharing
from taskaffinity.tasks.blue import BLUE_TASKS
from taskaffinity.tasks.formats import read_card, read_objects
from taskaffinity.tasks.passages import read_passages
from taskaffinity.tasks.rows import parse_rows
from taskaffinity.tasks.standoff import brat
from taskaffinity.tasks.task import KINDS, SPLITS, Kind, Split
from taskaffinity.tasks.unlabelled import read_unlabelled
from taskaffinity.tasks.user.columns import Columns, Field, Located
from taskaffinity.tasks.user.examples import columns_of, make_task, read_user_task
from taskaffinity.tasks.user.fasttext import looks_like_fasttext
from taskaffinity.tasks.user.files import read_rows
from taskaffinity.tasks.user.layout import Format, Layout, formats_of
from taskaffinity.tasks.user.pair_rule import Pairs
from taskaffinity.tasks.user.suitefile import read_suite
from taskaffinity.tasks.user.task_block import Files, UserTask

MOST_SECONDS = 2.0
"""Processor time of one input of at most 4 kB."""
MOST_MEMORY = 300 * 1024
"""KiB that one input may add to the largest memory of the process."""
LONGEST_MESSAGE = 2_000
FEW_WORDS = 4
"""A message may not quote so many words of a file in a row."""

Variant = Callable[[Path, bytes], object]


class BrokenError(AssertionError):
    """Raised if an input did what no input may do."""


def check(reader: str, folder: Path, data: bytes) -> None:
    """Give one input to a reader.

    Raises
    ------
    BrokenError
        If the reader raises anything but an ``InputError`` of one line that quotes no text, or takes long.
    """
    variants = READERS[reader]
    read, content = variants[data[0] % len(variants) if data else 0], data[1:]
    seconds, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        read(folder, content)
    except InputError as error:
        _check_message(str(error).replace(str(folder), ""), content, quotes_values=reader == "yaml")
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise BrokenError(f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}") from error
    if (took := time.process_time() - seconds) > MOST_SECONDS:
        raise BrokenError(f"{took:.0f} s for {len(data)} bytes")
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory > MOST_MEMORY:
        raise BrokenError(f"much memory for {len(data)} bytes")


def _check_message(message: str, content: bytes, *, quotes_values: bool) -> None:
    place = re.sub(r"\d+", "N", message)[:60]
    if has_controls(message) or len(message) > LONGEST_MESSAGE:
        raise BrokenError(f"a message with control characters or of {len(message)} characters: {place!r}")
    if quotes_values:  # values of the user's configuration, not of a corpus
        return
    text = " ".join(content.decode("utf-8", "replace").split())
    words = message.split()
    for first in range(len(words) - FEW_WORDS + 1):
        quoted = words[first : first + FEW_WORDS]
        if all(re.fullmatch(r"[\w'-]+", word) for word in quoted) and " ".join(quoted) in text:
            raise BrokenError(f"a message that quotes the file: {place!r}")


def _task(kind: Kind, form: Format, folder: Path, content: bytes) -> None:
    """Read the same file as all splits of a user's task."""
    path = _file(folder, f"a.{form}", content)
    columns, block = Columns(kind), UserTask(kind=kind)
    parts = {split: (str(path), read_rows(path, Layout(form), columns)) for split in SPLITS}
    _ = make_task("a", block, parts, lambda key: "suite.yaml").fingerprint


def _marked(form: Format, folder: Path, content: bytes) -> None:
    """Read a file as the training split of a task with mentions."""
    path, other = _file(folder, f"a.{form}", content), _file(folder, "b.jsonl", _DEV)
    columns = Columns("ner", {"tags": "NER"} if form == "conllu" else {})
    parts: dict[Split, tuple[str, Located]] = {
        "train": (str(path), read_rows(path, Layout(form), columns)),
        "dev": (str(other), read_rows(other, Layout(), Columns("ner"))),
    }
    _ = make_task("a", UserTask(kind="ner"), parts, lambda key: "suite.yaml").fingerprint


def _documents(kind: Kind, folder: Path, content: bytes, **block: Any) -> None:
    """Read documents in BigBIO's schema as the training split of a task."""
    path, other = _file(folder, "a.jsonl", content), _file(folder, "b.jsonl", _DEV if kind == "ner" else _DEV_PAIRS)
    task = UserTask(kind=kind, **block)
    columns = columns_of(task)
    parts: dict[Split, tuple[str, Located]] = {
        "train": (str(path), read_rows(path, Layout(), columns)),
        "dev": (str(other), read_rows(other, Layout(), columns if kind == "relation" else Columns(kind))),
    }
    _ = make_task("a", task, parts, lambda key: "suite.yaml").fingerprint


def _looked_at(folder: Path, content: bytes) -> None:
    """Read a file of fastText without its format."""
    path = _file(folder, "a.csv", content)
    if looks_like_fasttext(path):
        list(read_rows(path, Layout("fasttext"), Columns("multilabel")))
    else:
        list(read_rows(path, Layout(), Columns("classification")))


def _all_splits(kind: Kind, folder: Path, content: bytes) -> None:
    """Read one JSON file as all splits of a task."""
    path = _file(folder, "all.json", content)
    block = UserTask(kind=kind, path=Files(folder=path.name))
    _ = read_user_task("a", block, folder, lambda key: "suite.yaml").fingerprint


def _candidates(folder: Path, content: bytes) -> None:
    """Read a file with one row per candidate as the training split of a task."""
    path, other = _file(folder, "a.csv", content), _file(folder, "b.jsonl", _DEV_OPTIONS)
    columns: dict[Field, str] = {"group": "of"}
    parts: dict[Split, tuple[str, Located]] = {
        "train": (str(path), read_rows(path, Layout("csv"), Columns("choice", columns))),
        "dev": (str(other), read_rows(other, Layout(), Columns("choice", columns))),
    }
    _ = make_task("a", UserTask(kind="choice", columns=columns), parts, lambda key: "suite.yaml").fingerprint


def _rows(kind: Kind, folder: Path, content: bytes) -> None:
    parse_rows(read_objects(_file(folder, "a.jsonl", content)), kind, ("a", "b"))


def _card(folder: Path, content: bytes) -> None:
    _file(folder, "task.json", content)
    read_card(folder)


def _unlabelled(kind: Kind, ending: str, folder: Path, content: bytes) -> None:
    list(read_unlabelled(_file(folder, f"a.{ending}", content), kind))


def _blue(name: str, folder: Path, content: bytes) -> None:
    task = BLUE_TASKS[name]
    list(BLUE_READERS[task.kind](_file(folder, "a.tsv", content), "train", task, Counter()))


def _brat(folder: Path, content: bytes) -> None:
    text, _, annotations = content.partition(b"\0")
    _file(folder, "a.ann", annotations)
    brat.read_document(_file(folder, "a.txt", text))


def _ddi(folder: Path, content: bytes) -> None:
    path = _file(folder, "a.xml", content)
    list(ddi2013._document_rows(path, "a", ddi2013._parse(path), Counter()))


def _rqe(folder: Path, content: bytes) -> None:
    list(rqe._rows("train", _file(folder, "a.xml", content), Counter()))


def _knowtator(folder: Path, content: bytes) -> None:
    list(shareclefe._knowtator(_file(folder, "a.xml", content), "red horse and blue cake", Counter()))


def _pipe(folder: Path, content: bytes) -> None:
    list(shareclefe._pipe(_file(folder, "a.pipe", content), "red horse and blue cake", Counter()))


def _suite(folder: Path, content: bytes) -> None:
    for split in SPLITS:
        if not (folder / f"{split}.csv").is_file():
            _file(folder, f"{split}.csv", _TABLE)
    read_suite(_file(folder, "suite.yaml", content))


def _recipe(folder: Path, content: bytes) -> None:
    read_recipe(_file(folder, "recipe.yaml", content))


def _pubtator(folder: Path, content: bytes) -> None:
    list(bc5cdr.read_documents(_file(folder, "a.txt", content)))


def _chemprot(folder: Path, content: bytes) -> None:
    parts = [*content.split(b"\0"), b"", b""][:3]
    chemprot.read_documents(*(_file(folder, f"{number}.tsv", part) for number, part in enumerate(parts)))


def _clinicalsts(folder: Path, content: bytes) -> None:
    parts = [*content.split(b"\0"), b"", b""][:3]
    for name, part in zip(("train", "test", "test.gs.sim"), parts, strict=True):
        _file(folder, f"clinicalSTS.{name}.txt", part)
    clinicalsts.convert(folder)


def _ehr_rel(folder: Path, content: bytes) -> None:
    _file(folder, "EHR-RelB.tsv", content)
    ehr_rel.convert(folder)


def _i2b2(folder: Path, content: bytes) -> None:
    parts = [*content.split(b"\0"), b"", b""][:3]
    files = [_file(folder, f"a.{name}", part) for name, part in zip(("txt", "con", "rel"), parts, strict=True)]
    list(i2b2_2010._rows(*files, Counter()))


def _mednli(folder: Path, content: bytes) -> None:
    for where, line in complete_lines(_file(folder, "a.jsonl", content)):
        mednli._row(where, line)


def _ids(folder: Path, content: bytes) -> None:
    read_ids(_file(folder, "a.ids", content))


def _passages(ending: str, folder: Path, content: bytes) -> None:
    read_passages([_file(folder, f"a.{ending}", content)])


def _scores(folder: Path, content: bytes) -> None:
    tables = read_tables(_file(folder, "scores.csv", content))
    tables.study()


def _predictions(metric: str, folder: Path, content: bytes) -> None:
    path = _file(folder, "predictions.csv", content)
    read_tables(None, path, Scoring.of(metric)).study()


def _facts(folder: Path, content: bytes) -> None:
    path = _file(folder, "facts.csv", content)
    read_tables(_file(folder, "scores.csv", _SCORES), facts=path).study()


def _labelled_table(ending: str, folder: Path, content: bytes) -> None:
    list(read_unlabelled(_file(folder, f"a.{ending}", content), "inference", {"text": "said"}))


def _estimates(folder: Path, content: bytes) -> None:
    _file(folder, "estimates.csv", content)
    read_estimates(folder, ("a", "b", "c"))


def _study_file(design: Design, folder: Path, content: bytes) -> None:
    _file(folder, FILES[design], content)
    with as_user_error():
        _ = Study.load(folder, design).plan


def _sharing(folder: Path, content: bytes) -> None:
    _file(folder, SHARING, content)
    found = stored_sharing(folder, "H", "0f")
    _ = found and shared(Resources(), found)


def _encoders(folder: Path, content: bytes) -> None:
    _file(folder, "encoders.csv", content)
    encoder_study_folders(folder)


def _file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _of_kinds(form: Format, kinds: Sequence[Kind] = KINDS) -> list[Variant]:
    return [partial(_task, kind, form) for kind in kinds]


_TEXTS: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != "ner")
_IN_BLUE: tuple[Kind, ...] = tuple(kind for kind in _TEXTS if "blue" in formats_of(kind))
READERS: dict[str, list[Variant]] = {
    "json": [
        *_of_kinds("jsonl"),
        *(partial(_rows, kind) for kind in KINDS),
        *(partial(_unlabelled, kind, "jsonl") for kind in KINDS),
        *(partial(_all_splits, kind) for kind in ("classification", "spans")),
        _card,
        _mednli,
        partial(_passages, "jsonl"),
    ],
    "csv": [*_of_kinds("csv", _TEXTS), partial(_unlabelled, "classification", "csv"), _candidates],
    "tsv": [*_of_kinds("tsv", _TEXTS), *_of_kinds("blue", _IN_BLUE), *(partial(_blue, name) for name in BLUE_TASKS)],
    "conll": [partial(_task, "ner", "conll"), partial(_task, "ner", "blue"), partial(_blue, "bc5cdr-disease")],
    "brat": [_brat, brat_pairs, leaf_trial],
    "xml": [_ddi, _rqe, _knowtator],
    "yaml": [_suite, _recipe],
    "lines": [
        _pubtator, _chemprot, _clinicalsts, _ehr_rel, _i2b2, _pipe, _ids, partial(_unlabelled, "ner", "txt"),
        partial(_passages, "txt"), hallmarks,
    ],
    "mentions": [
        *(partial(_marked, form) for form in ("jsonl", "pubtator", "bioc", "conllu")),
        partial(_task, "multilabel", "csv"),
        partial(_task, "regression", "csv"),
    ],
    "tables": [
        _scores,
        *(partial(_predictions, metric) for metric in ("accuracy", "span_f1", "pearson", "multilabel_f1")),
        _facts,
        partial(_labelled_table, "csv"),
        partial(_labelled_table, "tsv"),
        _estimates,
        partial(_study_file, "train"),
        partial(_study_file, "pairwise"),
        _sharing,
        _encoders,
    ],
    "suites": VARIANTS,
    "bigbio": [
        partial(_documents, "ner"),
        partial(_documents, "relation", pairs=Pairs(max_words="3", masks="markers")),
        partial(_documents, "relation", pairs=Pairs(within="document"), negative="none", labels=("has", "none")),
    ],
    "fasttext": [*_of_kinds("fasttext", ("classification", "multilabel")), _looked_at],
}  # fmt: skip
"""Reader -> its variants."""

_DEV = b'{"id": "other", "words": ["red", "horse"], "tags": ["O", "O"]}\n'
_DEV_PAIRS = (
    b'{"document_id": "dev", "passages": [{"text": ["red horse"], "offsets": [[0, 9]]}], "entities": ['
    b'{"id": "a", "type": "C", "text": ["red"], "offsets": [[0, 3]]}, '
    b'{"id": "b", "type": "A", "text": ["horse"], "offsets": [[4, 9]]}], '
    b'"relations": [{"type": "has", "arg1_id": "a", "arg2_id": "b"}]}\n'
)
_DEV_OPTIONS = b"".join(
    b'{"of": "dev", "text": "red", "options": "%s", "label": %d}\n' % row for row in ((b"cake", 1), (b"horse", 0))
)
_SCORES = b"target,source,seed,score\na,,0,0.5\na,b,0,0.75\nb,,0,1\n"
_TABLE = b"text,label\n" + b"".join(b"row %d,%c\n" % (n, b"ab"[n % 2]) for n in range(40))


def seeds(reader: str) -> list[bytes]:
    """Each seed for each variant of a reader."""
    if reader == "suites":
        return suite_seeds()
    return [bytes([number]) + text.encode() for number in range(len(READERS[reader])) for text in SEEDS[reader]]
