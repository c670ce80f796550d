"""Masks are in text order, and the other text does not change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from taskaffinity.tasks.standoff.masking import Argument, masked, overlap

TEXT = "vorpal- and snarkol-like agents met\n Zorbifex."


def mask(first: Argument, second: Argument, joint: str = "") -> str:
    return masked(TEXT, (0, len(TEXT)), first, second, joint)


def test_masks_are_in_text_order() -> None:
    drug, group = Argument("drug", ((37, 45),)), Argument("group", ((12, 31),))
    assert mask(drug, group) == mask(group, drug) == "vorpal- and @group$ met @drug$."


def test_discontinuous_argument_is_masked_from_first_to_last_character() -> None:
    parts = Argument("group", ((0, 7), (19, 31)))
    assert mask(parts, Argument("drug", ((37, 45),))) == "@group$ met @drug$."
    assert mask(parts, Argument("brand", ((12, 31),))) == "@group-brand$ met Zorbifex."
    assert mask(Argument("brand", ((12, 18),)), parts, "CHEM-GENE") == "@CHEM-GENE$ met Zorbifex."


def test_touching_arguments_get_two_masks() -> None:
    assert mask(Argument("a", ((0, 6),)), Argument("b", ((6, 7),))).startswith("@a$@b$ and")


@given(
    st.text("xy \n", min_size=4, max_size=30), st.tuples(*[st.integers(0, 29)] * 2), st.tuples(*[st.integers(1, 9)] * 2)
)
def test_putting_the_arguments_back_gives_the_sentence(text: str, at: tuple[int, int], n: tuple[int, int]) -> None:
    first, second = (Argument(k, ((a % len(text), a % len(text) + m),)) for k, a, m in zip("AB", at, n, strict=True))
    text = text.ljust(40, "z")
    result = masked(text, (0, 40), first, second)
    if overlap(first, second):
        start, end = min(first.hull[0], second.hull[0]), max(first.hull[1], second.hull[1])
        kinds = {"@A-B$", "@B-A$"}
        assert sum(kind in result for kind in kinds) == 1
        expected = f"{text[:start]}@A-B${text[end:]}"
        assert result.replace("@B-A$", "@A-B$") == " ".join(expected.split())
    else:
        chars = list(text)
        for argument in (first, second):
            start, end = argument.hull
            chars[start:end] = [f"@{argument.kind}$", *[""] * (end - start - 1)]
        assert result == " ".join("".join(chars).split())
