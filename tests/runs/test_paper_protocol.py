from __future__ import annotations

from pathlib import Path

from taskaffinity.runs.paper_protocol import DEPARTURES, FILE, describe_protocol, write_departures

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_lists_the_same_departures() -> None:
    words = " ".join(README.read_text(encoding="utf-8").split())
    assert f"What stays ours: {'; '.join(DEPARTURES)}." in words


def test_they_are_written_a_line_each(tmp_path: Path) -> None:
    write_departures(tmp_path, ["honest", "paper"])
    assert [line[2:] for line in (tmp_path / FILE).read_text().splitlines()[1:]] == list(DEPARTURES)


def test_the_papers_protocol_is_never_named_without_them() -> None:
    assert describe_protocol("honest") == "honest protocol"
    assert describe_protocol("paper") == (
        f"paper protocol ({len(DEPARTURES)} departures from the released code: see departures.txt)"
    )
