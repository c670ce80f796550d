"""Tables as Markdown and LaTeX: special characters, equal titles, wide tables."""

from __future__ import annotations

import pandas as pd

from taskaffinity.analysis.tables.formats import as_latex, as_markdown

TABLE = pd.DataFrame([["1_0", "−2 % & $5"], ["a|b", r"\x{y}~^#"]], index=["r_1", "r_1"], columns=["A", "A"])


def test_latex_is_a_float_without_packages_and_escapes_every_special_character() -> None:
    assert as_latex(TABLE, "5 % of_all").splitlines() == [
        r"\begin{table}",
        r"\caption{5 \% of\_all}",
        r"\begin{tabular}{lrr}",
        r"\hline",
        r" & A & A \\",
        r"\hline",
        r"r\_1 & 1\_0 & $-$2 \% \& \$5 \\",
        r"r\_1 & a\textbar{}b & \textbackslash{}x\{y\}\textasciitilde{}\textasciicircum{}\# \\",
        r"\hline",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_latex_escapes_what_is_special_by_its_place_or_its_font() -> None:
    table = pd.DataFrame([['<a> "b"\n\tc\x1b']], index=["[1] x→y"], columns=["3×3 – 4"])
    latex = as_latex(table, "")
    assert r"{[}1{]} x$\rightarrow$y & \textless{}a\textgreater{} ''b'' c \\" in latex
    assert r"3$\times$3 -- 4 \\" in latex


def test_markdown_escapes_bars_and_ends_with_the_words() -> None:
    assert as_markdown(TABLE, "How to read it.").splitlines() == [
        "|  | A | A |",
        "| --- | ---: | ---: |",
        "| r_1 | 1_0 | −2 % & $5 |",
        r"| r_1 | a\|b | \x{y}~^# |",
        "",
        "How to read it.",
    ]


def test_a_wide_table_is_transposed() -> None:
    wide = pd.DataFrame([["1"] * 6], index=["row"], columns=list("abcdef"))
    assert as_markdown(wide, "").splitlines()[0] == "|  | row |"
    assert r"\begin{tabular}{lr}" in as_latex(wide, "")


def test_markdown_shows_titles_that_look_like_tags_code_or_emphasis() -> None:
    table = pd.DataFrame([["<.001", "*y* `z`", r"a\|b", "_c_ d_e"]], index=["<b>x</b>"], columns=list("abcd"))
    lines = as_markdown(table, "Of <b>x</b>: `code`, *y*.").splitlines()
    assert lines[2] == r"| \<b>x\</b> | <.001 | \*y\* \`z\` | a\\\|b | \_c\_ d_e |"
    assert lines[-1] == r"Of \<b>x\</b>: `code`, \*y\*."
