from __future__ import annotations

from pathlib import Path

from taskaffinity.runs.paper_protocol import DEPARTURES, FILE, describe_protocol, write_departures

PAGE = Path(__file__).parents[2] / "docs/explanation/paper-protocol.md"


def test_the_documentation_has_a_line_for_each_departure() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## What stays ours under `--protocol paper`")[2]
    lines = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("- ")]
    assert len(lines) == len(DEPARTURES)


def test_they_are_written_a_line_each(tmp_path: Path) -> None:
    write_departures(tmp_path, ["honest", "paper"])
    assert [line[2:] for line in (tmp_path / FILE).read_text().splitlines()[1:]] == list(DEPARTURES)


def test_the_papers_protocol_is_never_named_without_them() -> None:
    assert describe_protocol("honest") == "honest protocol"
    assert describe_protocol("paper") == (
        f"paper protocol ({len(DEPARTURES)} departures from the released code: see departures.txt)"
    )
