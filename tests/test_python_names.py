"""The Python functions name their own parameters in what they raise, and keep their signatures."""

from __future__ import annotations

import inspect

import pytest

import taskaffinity as ta
from taskaffinity.errors import InputError
from taskaffinity.tasks.catalog import find_suite

FUNCTIONS = [ta.pairwise, ta.full, ta.tune, ta.load, ta.estimate, ta.group, ta.retrain, ta.search_helpers, ta.compare]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_misspelt_parameter_is_refused_with_the_one_that_was_meant(function: object) -> None:
    assert callable(function)
    [*_, name] = inspect.signature(function).parameters
    with pytest.raises(TypeError, match=rf"{function.__name__}\(\) has no parameter {name}x; did you mean {name}\?"):
        function("clinical", **{f"{name}x": 1})
    with pytest.raises(TypeError, match=rf"has no parameter zzz; it has .*{name}"):
        function("clinical", zzz=1)


def test_a_domain_given_as_a_file_is_recognised() -> None:
    with pytest.raises(InputError, match="did you mean --domain clinical"):
        find_suite(None, None, "clinical")
