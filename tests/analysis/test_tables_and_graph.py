from __future__ import annotations

import io
from pathlib import Path

import networkx as nx
import pandas as pd
import pytest
from fake_studies import fill, latent_counts, make_study
from rich.console import Console

from taskaffinity.analysis.affinity import AffinityMatrix
from taskaffinity.analysis.graph import affinity_graph, write_graphml
from taskaffinity.analysis.measure import measure
from taskaffinity.analysis.tables.frames import edges_frame, scores_frame, write_csv
from taskaffinity.analysis.tables.printed import edge_table
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Study


@pytest.fixture
def holed(tmp_path: Path) -> AffinityMatrix:
    """Four tasks with long titles, one pair never run, one pair with one run; synthetic."""
    titles = {"a": "BC5CDR chemical", "b": "BC5CDR disease", "c": "ShARe/CLEFE", "d": "ClinicalSTS"}
    study = make_study(list("abcd"), synthetic=True, titles=titles)
    store = fill(
        study,
        tmp_path / "holed",
        latent_counts({("a", "d"): 0.6, ("b", "d"): -0.6}),
        skip=lambda spec: spec.task_names == ("a", "b") or (spec.task_names == ("a", "c") and spec.seed != 1),
    )
    return measure(study, store)


def printed(matrix: AffinityMatrix) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(edge_table(matrix))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_q_that_is_printed_is_that_of_the_verdict(tmp_path: Path) -> None:
    study = make_study(["a", "b"], seeds=range(6))
    matrix = measure(study, fill(study, tmp_path, latent_counts({}, n=5_000, seed_noise=0.005, item_noise=0.05)))
    assert matrix.verdict[0, 1] == "no effect"
    assert matrix.q[0, 1] == 1.0  # a colour's, which cannot be had any more
    assert matrix.q_tost[0, 1] < 0.001
    assert "1.000" not in printed(matrix)
    assert printed(matrix).count("<.001  = no effect") == 2


def test_scores_csv_is_one_row_a_score(tmp_path: Path) -> None:
    study = make_study(["b", "a", "c"], seeds=[1, 0], full=True)
    store = fill(study, tmp_path, latent_counts({}, n=50))
    write_csv(scores_frame(study, store), tmp_path / "scores.csv")
    frame = pd.read_csv(tmp_path / "scores.csv", keep_default_na=False)
    assert frame.columns.tolist() == ["source", "target", "split", "seed", "arm", "metric", "score", "collapsed"]
    # 3 single, 3 pairs of two scores, 1 full of three; two seeds, two splits
    assert len(frame) == (3 + 6 + 3) * 2 * 2
    assert frame.target.unique().tolist() == ["b", "a", "c"]
    assert frame[frame.arm == "single"].source.eq("").all()
    assert frame[(frame.arm == "full") & (frame.target == "a")].source.unique().tolist() == ["b+c"]
    assert set(frame.arm) == {"single", "pair", "full"}
    assert frame.seed.tolist()[:4] == [0, 0, 1, 1]
    assert frame.score.between(0, 1).all()


def test_scores_csv_gives_the_gains_of_edges_csv(toy: tuple[Study, RunStore]) -> None:
    frame, edges = scores_frame(*toy), edges_frame(measure(*toy))
    means = frame[frame.split == "test"].groupby(["target", "source"]).score.mean()
    for row in edges.itertuples():
        assert row.gain == pytest.approx(100 * (means[row.target, row.source] - means[row.target, ""]))
        assert row.score_pair == pytest.approx(100 * means[row.target, row.source])


def test_edges_csv_begins_as_the_contract_says_and_is_stamped(holed: AffinityMatrix, tmp_path: Path) -> None:
    write_csv(edges_frame(holed), tmp_path / "edges.csv")
    text = (tmp_path / "edges.csv").read_text()
    assert text.startswith("source,target,gain,low,high,p,q,verdict,")
    assert text.splitlines()[0].endswith(",synthetic")
    assert all(line.endswith(",true") for line in text.splitlines()[1:])
    assert "nan" not in text.lower()
    frame = pd.read_csv(tmp_path / "edges.csv")
    assert len(frame) == 12
    assert set(frame.verdict) <= {"improves", "degrades", "no effect", "inconclusive"}
    blank = frame[(frame.source == "a") & (frame.target == "b")].iloc[0]
    assert blank[["gain", "low", "high", "p", "q"]].isna().all()
    assert blank.untested_reason == "no pair run"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_csv(pd.DataFrame({"name": ["\ud800"]}), path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_the_terminals_table_fits_and_says_the_verdict_in_signs(holed: AffinityMatrix) -> None:
    text = printed(holed)
    assert max(map(len, text.splitlines())) <= 80
    for words in ("BC5CDR chemical", "+ improves", "- degrades", "? inconclusive", "no pair run", "one pair run"):
        assert words in text
    assert "synthetic text" in text
    assert "nan" not in text.lower()


def test_the_graph_carries_flat_known_values(holed: AffinityMatrix) -> None:
    graph = affinity_graph(holed)
    assert graph.number_of_edges() == 12
    assert list(graph.nodes) == ["a", "b", "c", "d"]
    bags = [graph.graph, *(data for _, data in graph.nodes(data=True)), *(data for *_, data in graph.edges(data=True))]
    for value in (value for bag in bags for value in bag.values()):
        assert type(value) in (str, int, float, bool)
        assert value == value
    assert graph.nodes["a"]["title"] == "BC5CDR chemical"
    assert graph.edges["a", "d"]["verdict"] == "improves"
    assert graph.edges["a", "b"]["untested_reason"] == "no pair run"
    assert "gain" not in graph.edges["a", "b"]
    assert graph.graph["synthetic"] is True


def test_graphml_reads_back_as_it_was(holed: AffinityMatrix, tmp_path: Path) -> None:
    graph = affinity_graph(holed)
    write_graphml(graph, tmp_path / "one.graphml")
    write_graphml(affinity_graph(holed), tmp_path / "two.graphml")
    assert (tmp_path / "one.graphml").read_bytes() == (tmp_path / "two.graphml").read_bytes()
    back = nx.read_graphml(tmp_path / "one.graphml")
    assert dict(back.nodes(data=True)) == dict(graph.nodes(data=True))
    for source, target, data in graph.edges(data=True):
        assert {key: value for key, value in back.edges[source, target].items() if key != "id"} == data
