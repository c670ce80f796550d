"""CSV files that are read back: every fault is one line with the file, the row, what was found and the way out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from taskaffinity.analysis.encoder_folders import encoder_study_folders
from taskaffinity.analysis.publish import check_has_runs
from taskaffinity.errors import InputError

NO_RUNS: Any = SimpleNamespace(plan=(), design="pairwise")
EDGES = b"source,target,gain,more\na,b,0.5,x\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"source,target\na,b\n", "row 1: no gain in it"),
        (EDGES + b"a,b,high,x\n", "row 2: gain is 'high'; expected a valid number"),
        (EDGES + b"a,b,nan,x\n", "row 2: gain is 'nan'; expected a finite number"),
        (EDGES + b",b,1,x\n", "row 2: source is null; expected a valid string"),
        (EDGES + b"a,b,1,x,y\n", "row 2: more cells than the header has"),
        (EDGES + b'a,"b\n', "row 2: not CSV (unexpected end of data)"),
        (EDGES + b"a" * 5_000 + b",b,1,x", "row 2: source is a text of 5000 characters; expected"),
        (b"\xff\xfe", "not UTF-8"),
        (EDGES, "edges.csv has gains, but no run of the study"),
    ],
)
def test_a_table_of_gains_without_runs(content: bytes, found: str, tmp_path: Path) -> None:
    (tmp_path / "edges.csv").write_bytes(content)
    with pytest.raises(InputError) as caught:
        check_has_runs(NO_RUNS, NO_RUNS, tmp_path)
    assert found in str(caught.value)
    assert str(caught.value).endswith(("; move it away", "or move edges.csv away"))
    assert "\n" not in str(caught.value)


def test_a_table_without_gains_is_replaced(tmp_path: Path) -> None:
    for content in (b"", b"source,target,gain\n", b"source,target,gain\na,b,\n"):
        (tmp_path / "edges.csv").write_bytes(content)
        check_has_runs(NO_RUNS, NO_RUNS, tmp_path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("task,encoder\na,BioBERT 12ab34cd\n", None),
        ("task\na\n", "row 1: no encoder in it"),
        ("task,encoder\na,BioBERT 12ab34ce\n", "0 folders of encoder '12ab34ce' beside it; expected one"),
        ("task,encoder\na,*\n", "0 folders of encoder '*' beside it; expected one"),
        ("task,encoder\na,\x1b[2J 12ab34cd\n", "row 1: encoder is"),
    ],
)
def test_a_table_of_encoders(content: str, found: str | None, tmp_path: Path) -> None:
    (tmp_path / "biobert-12ab34cd").mkdir()
    (tmp_path / "biobert-12ab34cd" / "full.json").write_text("{}")
    (tmp_path / "encoders.csv").write_text(content)
    if found is None:
        assert encoder_study_folders(tmp_path) == [tmp_path / "biobert-12ab34cd"]
        return
    with pytest.raises(InputError, match=r"encoders.csv: .*; run `taskaffinity full --encoders` again$") as caught:
        encoder_study_folders(tmp_path)
    assert found in str(caught.value)
    assert "\x1b" not in str(caught.value)
