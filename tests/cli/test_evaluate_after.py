"""``pairwise --evaluate-after finetune --init-from multitask``, on a study that is small but trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import LOCAL, SMALL, command, results_of, rows

pytestmark = pytest.mark.usefixtures("no_figures")

STUDY = ["pairwise", "--domain=clinical", *LOCAL, *SMALL, "--seeds=1", "--seeds-single=1", "--quiet"]
CHAIN = [*STUDY, "--evaluate-after=finetune", "--init-from=multitask", "--set=finetune.num_train_epochs=1"]


def kinds(root: Path) -> dict[str, int]:
    firsts = [name.partition("-")[0] for name in results_of(root)]
    return {first: firsts.count(first) for first in sorted(set(firsts))}


@pytest.mark.slow
def test_pairs_from_the_refinement_are_fine_tuned_and_the_same_command_again_trains_nothing(tmp_path: Path) -> None:
    first = command(*CHAIN, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    root = tmp_path / "results" / "clinical"
    assert kinds(root) == {"refine": 1, "continued": 4 + 6, "finetune": 4 + 12}
    assert "fine-tuned on the target" in first.stdout
    assert "start from the multi-task model of the whole set" in first.stdout
    edges = rows(root / "edges.csv")
    assert {(row["evaluated_after"], row["init_from"]) for row in edges} == {("finetune", "multitask")}
    scores = {
        (r["source"], r["target"], r["arm"]): r["score"] for r in rows(root / "scores.csv") if r["split"] == "test"
    }
    for row in edges:
        pair, single = (scores[source, row["target"], "finetune"] for source in (row["source"], ""))
        assert float(row["gain"]) == pytest.approx(100 * (float(pair) - float(single)), abs=2e-3)
    asked = json.loads((root / "study.json").read_text())
    assert {how["num_train_epochs"] for how in asked["finetune"].values()} == {1}
    done, drawn = results_of(root), (root / "edges.csv").read_bytes()
    again = command(*CHAIN, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (results_of(root), again.stdout) == (done, first.stdout)
    assert command("graph", str(root), cwd=tmp_path).returncode == 0
    assert (root / "edges.csv").read_bytes() == drawn


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--evaluate-after=finetune", "--sequential"], "--evaluate-after finetune: not with --sequential"),
        (
            ["--init-from=multitask", "--baseline=compute-matched"],
            "--init-from multitask: not with --baseline compute-matched",
        ),
        (
            ["--set=finetune.learning_rate=1e-4"],
            "--set finetune.learning_rate: nothing is fine-tuned; give --evaluate-after finetune",
        ),
    ],
    ids=["sequential", "match", "a setting of fine-tuning"],
)
def test_what_does_not_go_together_is_one_line_and_writes_nothing(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    asked = ["pairwise", "--domain=clinical", *LOCAL, *SMALL, *arguments]
    refused = command(*asked, cwd=tmp_path)
    assert refused.returncode == 2, refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert said in refused.stderr
    assert list(tmp_path.iterdir()) == []
