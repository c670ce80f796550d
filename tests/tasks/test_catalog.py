"""``load_suite``: a domain, a file or a suite, and what it says of anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskaffinity.errors import InputError
from taskaffinity.tasks.catalog import find_suite, load_suite
from taskaffinity.tasks.user.template import example_files


def test_a_domain_a_file_and_a_suite_are_suites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in example_files("suite.yaml").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    suite = load_suite("suite.yaml")
    assert load_suite(tmp_path / "suite.yaml") == suite == find_suite(None, file="suite.yaml")
    assert load_suite(suite) is suite
    assert load_suite("planted-8") is find_suite("planted-8")


def test_what_is_no_suite_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"suite: found 'clinicl', which is neither a domain nor a file; .*mean clinical\?"
    ):
        load_suite("clinicl")
    with pytest.raises(InputError, match="found a data folder for a suite that names its data"):
        load_suite(load_suite("planted-8"), data=tmp_path)
    with pytest.raises(InputError, match=r"planted-8 is synthetic and takes no data"):
        load_suite("planted-8", data=tmp_path)
