"""What the paper says of its Figure 2, beside studies whose arrows are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_studies import fill, latent_counts, make_study

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.paper.figure2 import (
    CLAIMS_COLUMNS,
    SUITES,
    answers,
    claims,
    describe_claims,
    figure2_frame,
    figure2_table,
)
from taskaffinity.cli import app
from taskaffinity.errors import InputError
from taskaffinity.runs.recipe import PAPER_REFINE
from taskaffinity.runs.study import Study
from taskaffinity.tasks.blue import BIOMEDICAL, CLINICAL

LARGE = 0.6
"""On the latent scale: some fifteen points."""


@pytest.fixture(scope="module")
def clinical(tmp_path_factory: pytest.TempPathFactory) -> AffinityMatrix:
    study = replace(make_study(CLINICAL, seeds=(0, 1, 2, 3)), suite="clinical")
    gains = {
        ("clinicalsts", "shareclefe"): LARGE,
        ("mednli", "shareclefe"): -LARGE,
        ("i2b2-2010-re", "shareclefe"): LARGE,
        ("mednli", "clinicalsts"): LARGE,
    }
    return measure(study, fill(study, tmp_path_factory.mktemp("clinical"), latent_counts(gains)))


def with_verdicts(matrix: AffinityMatrix, verdict: str, **arrows: str) -> AffinityMatrix:
    """The matrix with one verdict everywhere but on ``source__target`` (``_`` for ``-``)."""
    words = np.where(np.eye(len(matrix.tasks), dtype=bool), "", verdict).astype(object)
    for arrow, other in arrows.items():
        source, target = arrow.replace("_to_", " ").replace("_", "-").split()
        words[matrix.tasks.index(source), matrix.tasks.index(target)] = other
    return replace(matrix, verdict=words)


def standings(matrix: AffinityMatrix) -> dict[str, str]:
    return {answer.claim.words: answer.standing for answer in answers(matrix)}


def test_a_named_arrow_agrees_contradicts_or_is_open(clinical: AffinityMatrix) -> None:
    table = figure2_table(clinical)
    by_words = dict(zip(table.index, table.standing, strict=True))
    assert by_words["paper: ShARe/CLEFE is improved by all three others (ClinicalSTS)"] == "agrees"
    assert by_words["paper: ShARe/CLEFE is improved by all three others (MedNLI)"] == "contradicts"
    assert by_words["paper: MedNLI helps all but ClinicalSTS (ClinicalSTS)"] == "contradicts"
    assert by_words["paper: i2b2 2010 helps some"] == "agrees"
    here = table.loc["paper: ShARe/CLEFE is improved by all three others (ClinicalSTS)", "here"]
    arrow = clinical.tasks.index("clinicalsts"), clinical.tasks.index("shareclefe")
    assert here == f"+{clinical.gain[arrow]:.1f} [+{clinical.low[arrow]:.1f}, +{clinical.high[arrow]:.1f}], improves"
    open_ones = standings(with_verdicts(clinical, "inconclusive"))
    assert set(open_ones.values()) == {"undecided here"}


def test_does_not_improve_is_fulfilled_by_harm_and_by_no_effect(clinical: AffinityMatrix) -> None:
    for verdict, standing in (("degrades", "agrees"), ("no effect", "agrees"), ("improves", "contradicts")):
        found = standings(with_verdicts(clinical, verdict))
        assert found["MedNLI helps all but ClinicalSTS (ClinicalSTS)"] == standing


def test_some_needs_one_arrow_and_every_needs_all(tmp_path: Path) -> None:
    study = replace(make_study(BIOMEDICAL), suite="biomedical")
    matrix = measure(study, fill(study, tmp_path, latent_counts({})))
    arrows = {"ddi2013_type_to_bc5cdr_disease": "improves", "bc5cdr_disease_to_chemprot": "improves"}
    found = standings(with_verdicts(matrix, "inconclusive", **arrows))
    assert found == {
        "DDI is improved by other tasks": "undecided here",
        "ChemProt is improved by other tasks": "agrees",
        "BC5CDR chemical hardly moves": "undecided here",
        "BC5CDR disease hardly moves": "contradicts",
    }
    found = standings(with_verdicts(matrix, "no effect"))
    assert list(found.values()) == ["contradicts", "contradicts", "agrees", "agrees"]
    table = figure2_table(with_verdicts(matrix, "no effect", **arrows))
    assert table.loc["paper: ChemProt is improved by other tasks", "here"] == "1 improves, 2 no effect"


def test_the_frame_has_a_row_a_claim_and_arrow(clinical: AffinityMatrix) -> None:
    frame = figure2_frame(clinical)
    assert tuple(frame.columns) == CLAIMS_COLUMNS
    assert len(frame) == 6 + 2 * 3
    assert set(frame.of) == {"one", "some"}
    assert not (frame.source == frame.target).any()


def test_what_is_not_trained_is_open_and_never_a_nan(tmp_path: Path) -> None:
    study = replace(make_study(CLINICAL), suite="clinical")
    matrix = measure(study, fill(study, tmp_path, latent_counts({}), skip=lambda spec: spec.stage == "refine"))
    table = figure2_table(matrix)
    assert set(table.standing) == {"undecided here"}
    assert "nan" not in table.to_csv().lower()
    assert "8 undecided here" in describe_claims(matrix)


def test_every_claim_is_of_tasks_of_one_suite_of_figure_2() -> None:
    assert set(SUITES) == {"clinical", "biomedical"}
    for claim in claims():
        named = {claim.source, claim.target} - {"some", "every"}
        assert named <= {*CLINICAL} or named <= {*BIOMEDICAL}
        assert named
        assert claim.where == "text on Figure 2 (section 4.4.1)"


def written(root: Path, **changes: object) -> Study:
    """A study of the clinical tasks in ``root`` with no run yet, of real text unless said otherwise."""
    study = replace(make_study(CLINICAL), suite="clinical", **changes)
    study.write(root)
    return study


def test_the_command_prints_a_line_a_claim_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = written(tmp_path, recipe=PAPER_REFINE, protocol="paper")
    fill(study, tmp_path, latent_counts({("clinicalsts", "mednli"): LARGE}))

    def printed(*options: str) -> str:
        app(["table", "figure2", str(tmp_path), *options], standalone_mode=False)
        return capsys.readouterr().out

    [line] = [line for line in printed().splitlines() if "paper: ClinicalSTS improves MedNLI" in line]
    assert line.split()[-2:] == ["improves", "agrees"]
    assert "departures.txt" in printed().replace("\n", " ")
    assert printed("--format=csv").splitlines()[0] == ",".join(CLAIMS_COLUMNS)
    assert "| paper: ClinicalSTS improves MedNLI | +" in printed("--format=markdown")
    assert r"\begin{tabular}{lrr}" in printed("--format=latex")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"synthetic": True}, "synthetic text, of which the paper says nothing"),
        ({"suite": "open-clinical"}, "of suite clinical or biomedical, but .* holds suite open-clinical"),
    ],
    ids=["synthetic", "another suite"],
)
def test_other_studies_never_stand_beside_the_papers_words(
    changes: dict[str, object], said: str, tmp_path: Path
) -> None:
    replace(written(tmp_path), **changes).write(tmp_path)
    with pytest.raises(InputError, match=said):
        app(["table", "figure2", str(tmp_path)], standalone_mode=False)


def test_only_a_study_of_pairs_has_arrows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it is made by `taskaffinity pairwise`"):
        app(["table", "figure2", str(tmp_path)], standalone_mode=False)


def test_a_claim_about_other_tasks_stays_open_if_the_study_lacks_some_of_them(tmp_path: Path) -> None:
    """The paper's DDI has three sources: one that does not improve it leaves two."""
    names = ("ddi2013-type", "bc5cdr-chemical")
    study = replace(make_study(names), suite="biomedical")
    matrix = measure(study, fill(study, tmp_path, latent_counts({})))
    found = standings(with_verdicts(matrix, "no effect"))
    assert found == {
        "DDI is improved by other tasks": "undecided here",
        "BC5CDR chemical hardly moves": "undecided here",
    }
    found = standings(with_verdicts(matrix, "improves"))
    assert found == {"DDI is improved by other tasks": "agrees", "BC5CDR chemical hardly moves": "contradicts"}


def test_a_study_of_one_task_decides_no_claim(tmp_path: Path) -> None:
    study = replace(make_study(["ddi2013-type"]), suite="biomedical")
    table = figure2_table(measure(study, fill(study, tmp_path, latent_counts({}))))
    assert list(table.standing) == ["undecided here"]
    assert list(table.here) == ["no other task"]
