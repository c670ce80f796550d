"""``predict --columns FIELD=NAME``."""

from __future__ import annotations

import pytest

from taskaffinity.cli.predict import _columns
from taskaffinity.errors import InputError


def test_columns_are_read_by_field() -> None:
    assert _columns(["text=finding", "id=row=1"]) == {"text": "finding", "id": "row=1"}


@pytest.mark.parametrize("given", [["finding"], ["text="], ["label=x"], ["text=a", "text=b"]])
def test_another_form_is_refused_with_the_right_one(given: list[str]) -> None:
    with pytest.raises(
        InputError,
        match=r"--columns: found .*; expected text=NAME, text_pair=NAME, options=NAME,NAME,..., group=NAME or id=NAME",
    ):
        _columns(given)
