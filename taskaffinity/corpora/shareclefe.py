"""ShARe/CLEF eHealth 2013, task 1 (disorder mentions): the task ``shareclefe``.

The corpus has clinical notes with mentions of disorders. Notes are text files; offsets count their characters and the
end is exclusive. Each note has one gold file. It holds either lines
``<note>.txt||Disease_Disorder||<CUI>||<start>||<end> [||<start>||<end>...]``, or Knowtator XML with
``annotation/mention@id``, ``annotation/span@start,@end`` and ``classMention@id/mentionClass@id``. Several pairs of
offsets are one discontinuous mention. Files are matched by the name of the note, with any of the endings ``.txt``,
``.pipe.txt``, ``.text``, ``.pipe`` and ``.txt.knowtator.xml``.

A row is a sentence (``notes.py``), and no sentence cuts a mention. A discontinuous mention is tagged from its first
character to its last unless the user chooses otherwise (``choices.Discontinuous``). BLUE tags it ``B O O I``, which is
not one mention. The longest of overlapping mentions is tagged.

There is no official dev part, and BLUE did not publish its list of dev notes. Ours is whole notes, chosen by a hash.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from taskaffinity.corpora.choices import DEFAULTS, Choices, Discontinuous, is_hash_below, listed_dev_ids
from taskaffinity.corpora.notes import note_sentences, replace_marks
from taskaffinity.corpora.original import ConvertedTask, locate
from taskaffinity.corpora.tagging import tagged_rows
from taskaffinity.errors import input_error, shown
from taskaffinity.tasks.formats import TaskCard
from taskaffinity.tasks.how_many import how_many
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.standoff.offsets import (
    numbered_lines,
    offsets_inside,
    read_text_exactly,
    without_spaces,
    xml_root,
)
from taskaffinity.tasks.standoff.sentences import Span
from taskaffinity.tasks.task import Split

KIND = "Disease"
TYPE = "Disease_Disorder"
DEV_SHARE = 0.2
LICENCE = "PhysioNet Credentialed Health Data License: not to be shared"

_REQUIRED = {
    "train text": ["Task1TrainSetCorpus199/ALLREPORTS", "ALLREPORTS"],
    "train gold": [
        "Task1TrainSetGOLD199knowtatorehost/ALLSAVED",
        "Task1TrainSetGOLD199knowtatorehost/Task1Gold",
        "ALLSAVED",
    ],
    "test text": ["Task1TestSetCorpus100/ALLREPORTS"],
    "test gold": ["Task1Gold_SN2012/Gold_SN2012", "Gold_SN2012"],
}
_BELOW = ("shareclefe", "shareclef2013", "shareclefehealth2013")
_TEXTS = re.compile(r"(?P<note>.+?)\.(txt|text)")
_GOLD = re.compile(r"(?P<note>.+?)\.(txt|pipe|pipe\.txt|(txt\.)?knowtator\.xml)")


@dataclass(frozen=True)
class Note:
    """A note and its mentions, sorted; a mention has one or more parts."""

    name: str
    text: str = field(repr=False)
    mentions: tuple[tuple[Span, ...], ...]


def convert(raw: Path, choices: Choices = DEFAULTS) -> list[ConvertedTask]:
    """Convert the corpus.

    Raises
    ------
    InputError
        If a folder or file is missing, or a line or element does not match the format in the module's docstring.
    """
    folders = locate(raw, _REQUIRED, _BELOW)
    counted: Counter[str] = Counter(
        dict.fromkeys(("boundaries_merged", "mentions_in_parts", "overlapping_mentions_dropped"), 0)
    )
    given, test = (read_notes(folders[f"{part} text"], folders[f"{part} gold"], counted) for part in ("train", "test"))
    names = [note.name for note in given]
    dev = (
        listed_dev_ids(choices.dev_ids, names)
        if choices.dev_ids
        else {name for name in names if is_hash_below(name, DEV_SHARE)}
    )
    rows = {note.name: _rows(note, choices.discontinuous, counted) for note in (*given, *test)}
    splits: dict[Split, list[Row]] = {
        "train": [row for name in names if name not in dev for row in rows[name]],
        "dev": [row for name in names if name in dev for row in rows[name]],
        "test": [row for note in test for row in rows[note.name]],
    }
    rule = f"notes where the first 8 bytes of sha256(note), as a big-endian number, are below {DEV_SHARE} * 2**64"
    card = TaskCard(
        kind="ner",
        labels=(KIND,),
        title="ShARe/CLEFE",
        source="ShARe/CLEF eHealth 2013 task 1, PhysioNet (Suominen et al. 2013)",
        licence=LICENCE,
        split=f"official test; dev: {'a list of notes' if choices.dev_ids else rule}; train: the others",
        notes={**dict(sorted(counted.items())), "discontinuous": choices.discontinuous},
    )
    return [ConvertedTask("shareclefe", card, splits)]


def read_notes(texts: Path, gold: Path, counted: Counter[str]) -> list[Note]:
    """Read the notes of one part, sorted by name.

    A note without a gold file is left out and counted. Raises as ``convert``.
    """
    gold_paths: dict[str, Path] = {}
    for path in sorted(gold.iterdir()):
        if match := _GOLD.fullmatch(path.name):
            if other := gold_paths.get(match["note"]):
                raise input_error(path, f"a second gold file of a note, beside {other.name}", "one of each note")
            gold_paths[match["note"]] = path
    notes: list[Note] = []
    for path in sorted(texts.iterdir()):
        match = _TEXTS.fullmatch(path.name)
        if match is None:
            continue
        name = match["note"].removesuffix(".pipe")
        gold_path = gold_paths.pop(name, None)
        if gold_path is None:
            counted["notes_without_gold_left_out"] += 1
            continue
        text = read_text_exactly(path)
        read = _knowtator if gold_path.suffix == ".xml" else _pipe
        notes.append(Note(name, text, tuple(sorted(set(read(gold_path, text, counted))))))
    if gold_paths:
        path = next(iter(gold_paths.values()))
        raise input_error(path, f"gold of a note that is not in {texts}", "gold and notes of one part")
    if not notes:
        raise input_error(texts, "no note with gold", "the notes of this part, <name>.txt")
    return notes


def _pipe(path: Path, text: str, counted: Counter[str]) -> Iterator[tuple[Span, ...]]:
    for where, _, line in numbered_lines(path):
        fields = line.split("||")
        if len(fields) < 5 or len(fields) % 2 == 0:
            raise input_error(
                where, how_many(len(fields), "field"), "note||type||CUI||start||end, and more starts and ends in pairs"
            )
        _, kind, _, *rest = fields
        if kind != TYPE:
            counted["mentions_of_other_types"] += 1
            continue
        yield _mention(where, text, list(zip(rest[::2], rest[1::2], strict=True)))


def _knowtator(path: Path, text: str, counted: Counter[str]) -> Iterator[tuple[Span, ...]]:
    root = xml_root(path)
    kinds = {
        element.get("id"): mention.get("id")
        for element in root.iter("classMention")
        if (mention := element.find("mentionClass")) is not None
    }
    for annotation in root.iter("annotation"):
        mention = annotation.find("mention")
        name = "" if mention is None else mention.get("id", "")
        where = f"{path}: mention {shown(name)}"
        if name not in kinds:
            raise input_error(where, "no classMention of this id", "one, with its mentionClass")
        if kinds[name] != TYPE:
            counted["mentions_of_other_types"] += 1
            continue
        spans = [(span.get("start", ""), span.get("end", "")) for span in annotation.iter("span")]
        parts = _mention(where, text, spans)
        mention_text = annotation.findtext("spannedText") or ""
        if without_spaces("".join(text[start:end] for start, end in parts)) != without_spaces(
            mention_text.replace("...", "")
        ):
            counted["mentions_whose_text_differs"] += 1
        yield parts


def _mention(where: str, text: str, offsets: Sequence[tuple[str, str]]) -> tuple[Span, ...]:
    if not offsets:
        raise input_error(where, "no offsets", "at least one start and end")
    return tuple(sorted(offsets_inside(where, text, start, end) for start, end in offsets))


def _rows(note: Note, discontinuous: Discontinuous, counted: Counter[str]) -> list[Row]:
    text = replace_marks(note.text)
    return tagged_rows(note.name, text, note_sentences(text), note.mentions, KIND, discontinuous, counted)
