"""A file that is no text, and a folder in the place of a file, are named with what would do."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from one_task import read

from taskaffinity.errors import InputError
from taskaffinity.tasks.task import SPLITS

ROWS = b"text,label\n" + b"".join(b"a text %d,%s\n" % (n, b"no" if n % 2 else b"yes") for n in range(8))


def zipped() -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        file.writestr("xl/workbook.xml", ROWS)
    return made.getvalue()


def parquet() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = BytesIO()
    pq.write_table(pa.table({"text": ["a"], "label": ["no"]}), made)
    return made.getvalue()


def arrow() -> bytes:
    import pyarrow as pa

    made, table = BytesIO(), pa.table({"text": ["a"]})
    with pa.ipc.new_file(made, table.schema) as file:
        file.write_table(table)
    return made.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
FILES = {
    "gzip data; expected a name that ends in .gz": lambda: gzip.compress(ROWS),
    "a spreadsheet (.xlsx) or a zip archive; expected": zipped,
    "parquet data; expected format: parquet": parquet,
    "Arrow data; expected": arrow,
    "bzip2 data; expected a text file: unpack it": lambda: bz2.compress(ROWS),
    "xz data; expected a text file: unpack it": lambda: lzma.compress(ROWS),
    "a pointer of Git LFS, not the file itself; expected the file itself: git lfs pull": lambda: POINTER,
}


@pytest.mark.parametrize("said", FILES)
@pytest.mark.parametrize("encoding", ["", ", encoding: cp1252"])
def test_a_file_that_is_no_text_is_named(said: str, encoding: str, tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.csv").write_bytes(FILES[said]())
    with pytest.raises(InputError) as error:
        read(tmp_path, f"kind: classification, path: .{encoding}")
    assert f"train.csv: found {said}" in str(error.value)


def test_a_pointer_or_half_a_file_in_the_place_of_parquet(tmp_path: Path) -> None:
    for content, said in ((POINTER, "a pointer of Git LFS"), (parquet()[:-9], "no parquet, or a damaged file")):
        for split in SPLITS:
            (tmp_path / f"{split}.parquet").write_bytes(content)
        with pytest.raises(InputError, match=f"train.parquet: found {said}"):
            read(tmp_path, "kind: classification, path: .")


def test_the_gene_par1_is_a_word(tmp_path: Path) -> None:
    for split in SPLITS:
        (tmp_path / f"{split}.conll").write_text(f"PAR1\tB-Gene\n{split}\tO\n")
    assert read(tmp_path, "kind: ner, path: .").examples["train"][0].words == ("PAR1", "train")


@pytest.mark.parametrize("path", [".", "{train: train, test: test}"])
def test_one_folder_per_class_is_refused_with_the_way_out(path: str, tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("neg", "pos"):
            (tmp_path / "data" / split / label).mkdir(parents=True)
            (tmp_path / "data" / split / label / "0.txt").write_text("A text.")
    path = "data" if path == "." else path.replace(": t", ": data/t")
    with pytest.raises(InputError, match="one folder per class is not read"):
        read(tmp_path, f"kind: classification, dev: 10%, path: {path}")
