"""Readers of tables and of files of studies, on files that need no training.

``fault_readers.py`` has the readers of trained runs, and ``fault_shapes.py`` those of the user's data.
"""

from __future__ import annotations

import json
import logging
import random
from dataclasses import asdict, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from fault_shapes import write_csv, write_parquet
from fault_world import SIZES, WORDS

from taskaffinity.errors import InputError, as_user_error

TARGETS = ("polar", "names", "alike", "signs")
"""Targets of the tables, each with another metric."""
METRIC_OF = {"polar": "accuracy", "names": "span_f1", "alike": "pearson", "signs": "multilabel_f1"}


def table_readers() -> list[Any]:
    """The readers of this file."""
    from fault_readers import Reader

    return [
        Reader("scores CSV", "tables", "scores.csv", _read_scores, False, 300),
        Reader("scores parquet", "tables", "scores.parquet", _read_scores, False, 200),
        Reader("predictions CSV", "tables", "predictions.csv", _read_predictions, False, 300),
        Reader("predictions parquet", "tables", "predictions.parquet", _read_predictions, False, 200),
        Reader("facts CSV", "tables", "facts.csv", _read_facts, False, 200),
        Reader("counts CSV", "tables", "counts.csv", _read_counts, False, 200),
        Reader("external.npz", "outside", "runs/external.npz", _read_outside, True, 200),
        Reader("study.json of scores", "outside", "study.json", _read_study_of_scores, False, 150),
        Reader("train.json", "joint", "train.json", _read_train, False, 300),
        Reader("gpu_sharing.json", "joint", "gpu_sharing.json", _read_sharing, False, 200),
        Reader("trial of the precision", "joint", "precision.json", _read_trial, False, 150),
        Reader("estimates.csv", "estimated", "estimates.csv", _read_estimates, True, 400),
        Reader("estimators.csv", "estimated", "estimators.csv", _read_estimators, False, 200),
        Reader("estimate.json", "estimated", "estimate.json", _read_design, False, 150),
        Reader("probe", "estimated", "runs/*/*.*", _read_probe, True, 400),
        Reader("edges.csv", "estimated", "edges.csv", _read_edges, False, 200),
        Reader("encoders.csv", "several", "encoders.csv", _read_encoders, False, 200),
        Reader("checkpoint", "running", "checkpoint/*", _read_checkpoint, True, 200),
    ]


def fill_tables(place: Path) -> None:
    """Write all files that these readers read."""
    _write_tables(place / "tables", random.Random(0))
    _write_outside(place)
    _write_joint(place / "joint")
    _write_estimated(place / "estimated")
    _write_several(place / "several")
    _write_checkpoint(place / "running")


def _label(metric: str, rng: random.Random) -> str:
    match metric:
        case "pearson":
            return f"{rng.uniform(0, 5):.2f}"
        case "span_f1":
            return " ".join(rng.choices(["B-Drug", "O", "B-Sign", "I-Sign"], k=4))
        case "multilabel_f1":
            return "|".join(sorted({*rng.choices(WORDS[:3], k=2)}))
    return rng.choice(WORDS[:3])  # classes are text of the corpus, too


def _write_tables(folder: Path, rng: random.Random) -> None:
    arms = [(target, source) for target in TARGETS for source in ("", *TARGETS) if source != target]
    scores = [(t, s, seed, round(rng.uniform(0.4, 0.9), 4)) for t, s in arms for seed in range(3)]
    header = ("target", "source", "seed", "score")
    write_csv(folder / "scores.csv", header, scores)
    write_parquet(folder / "scores.parquet", header, scores)
    rows = []
    for target in TARGETS:
        ids = [f"e{rng.getrandbits(40):x}" for _ in range(8)]  # messages may quote an id
        gold = [_label(METRIC_OF[target], rng) for _ in ids]
        for source in ("", TARGETS[TARGETS.index(target) - 1]):
            for seed in range(2):
                for n, name in enumerate(ids):
                    found = gold[n] if rng.random() < 0.6 else _label(METRIC_OF[target], rng)
                    rows.append((target, source, seed, name, gold[n], found, f"{WORDS[n // 2]}"))
    header = ("target", "source", "seed", "id", "gold", "predicted", "document")
    write_csv(folder / "predictions.csv", header, rows)
    write_parquet(folder / "predictions.parquet", header, rows)
    _write_facts(folder, arms, rng)


def _write_facts(folder: Path, arms: list[tuple[str, str]], rng: random.Random) -> None:
    """Write facts of the targets, and counts in the place of labels."""
    one = TARGETS[0]
    of_one = [("size", "train", 5000), ("used", "train", 1200), ("long", "train", 0.3), ("max_length", "", 128)]
    of_one += [("leak", TARGETS[1], f"leak: 12 texts of {one} test also in {TARGETS[1]} train")]
    facts = [(target, "title", "", target.title()) for target in TARGETS]
    facts += [(one, *fact) for fact in of_one] + [(TARGETS[2], "undertrained", "climbing", 3.25)]
    write_csv(folder / "facts.csv", ("task", "fact", "of", "value"), facts)
    rows = [
        (target, source, seed, f"e{n}", "", "", f"accuracy={int(rng.random() < 0.6)} 1")
        for target, source in arms
        for seed in range(2)
        for n in range(8)
    ]
    header = ("target", "source", "seed", "id", "gold", "predicted", "counts")
    write_csv(folder / "counts.csv", header, rows)


def _gains(study: Any, root: Path) -> list[Any]:
    """All numbers of a study of pairs, measured."""
    from taskaffinity.analysis.measure import measure
    from taskaffinity.runs.store import RunStore

    matrix = measure(study, RunStore(root))
    return [np.asarray(getattr(matrix, name)).tolist() for name in ("gain", "se", "p", "verdict")]


def _measured(tables: Any, root: Path) -> Any:
    from taskaffinity.runs.external.study import write_external

    write_external(tables.study(), tables.targets, root, overwrite=True)
    return _gains(tables.study(), root)


def _read_scores(place: Path, path: Path) -> Any:
    from taskaffinity.runs.external.tables import read_tables

    return _measured(read_tables(path), place / "measured-scores")


def _read_predictions(place: Path, path: Path) -> Any:
    from taskaffinity.runs.external.scoring import Scoring
    from taskaffinity.runs.external.tables import read_tables

    return _measured(read_tables(None, path, Scoring.of(METRIC_OF)), place / "measured-predictions")


def _read_facts(place: Path, path: Path) -> Any:
    from taskaffinity.runs.external.tables import read_tables

    return _measured(read_tables(path.with_name("scores.csv"), facts=path), place / "measured-facts")


def _read_counts(place: Path, path: Path) -> Any:
    from taskaffinity.runs.external.tables import read_tables

    return _measured(read_tables(None, path), place / "measured-counts")


def _write_outside(place: Path) -> None:
    from taskaffinity.runs.external.scoring import Scoring
    from taskaffinity.runs.external.study import write_external
    from taskaffinity.runs.external.tables import read_tables

    tables = read_tables(None, place / "tables" / "predictions.csv", Scoring.of(METRIC_OF))
    write_external(tables.study(), tables.targets, place / "outside")


def _read_outside(place: Path, path: Path) -> Any:
    import taskaffinity as ta

    return ta.load(place / "outside").to_frame().to_csv()


_read_study_of_scores = _read_outside


def _study(**changes: Any) -> Any:
    from taskaffinity.runs.recipe import Recipe
    from taskaffinity.runs.spec import EncoderRef
    from taskaffinity.runs.studied_task import StudiedTask
    from taskaffinity.runs.study import Study

    cards = [StudiedTask(name, name.title(), "inference", "accuracy", f"f-{name}", dict(SIZES)) for name in TARGETS[:3]]
    given = {"recipe": Recipe(num_train_epochs=2), "seeds": (0, 1), **changes}
    return Study("invented", tuple(cards), EncoderRef("narrow", "e0"), **given)


def _write_joint(folder: Path) -> None:
    from taskaffinity.runs.recipe import Recipe

    finetune = {name: Recipe(num_train_epochs=1) for name in TARGETS[:3]}
    _study(design="train", evaluate_after="finetune", finetune=finetune).write(folder)
    rates = {"1": 100.0, "2": 180.0, "4": 185.5}
    share = {"gpu": "H", "trial": "0f", "sharing": {"rates": rates, "mps": True}}
    (folder / "gpu_sharing.json").write_text(json.dumps(share))
    trial = {"times": 1.7, "low": 1.6, "high": 1.9, "decides": True}
    (folder / "precision.json").write_text(json.dumps({"trial": trial}))


def _read_train(place: Path, path: Path) -> Any:
    import taskaffinity as ta

    result: Any = ta.load(path.parent)
    return result.to_frame().to_csv()


def _read_sharing(place: Path, path: Path) -> Any:
    from taskaffinity.schedule.resources import Resources
    from taskaffinity.studies.gpu_share import shared, stored_sharing

    found = stored_sharing(path.parent, "H", "0f")
    return found and shared(Resources(), found).gpus_per_run


def _read_trial(place: Path, path: Path) -> Any:
    from taskaffinity.studies.precision import Trial, _decision, _recent_trial

    found = _recent_trial(path)
    return found and _decision(None if found["trial"] is None else Trial(**found["trial"]))


def _write_estimated(folder: Path) -> None:
    from taskaffinity.analysis.estimates.design_file import write_design
    from taskaffinity.analysis.estimates.probes import Estimate, estimates_frame
    from taskaffinity.analysis.estimates.validation import scores_of_estimators
    from taskaffinity.analysis.tables.frames import as_csv
    from taskaffinity.runs.probe_result import ProbeResult, ProbeScores, write_probe
    from taskaffinity.runs.probes import ProbeDesign
    from taskaffinity.runs.store import RunStore
    from taskaffinity.tasks.metrics import METRICS

    study, rng = _study(), np.random.default_rng(0)
    study.write(folder)
    write_design(folder, ProbeDesign(steps=30, repeats=2, share=0.2), study)
    arrows = list(permutations(TARGETS[:3], 2))
    rows = [Estimate(*arrow, probe=4.0 - n, se=0.5 + n / 10, rounds=1, repeats=2) for n, arrow in enumerate(arrows)]
    rows[2], rows[3] = replace(rows[2], source_learned=False), Estimate(*arrows[3], reason="a probe is missing")
    (folder / "estimates.csv").write_text(as_csv(estimates_frame(rows, TARGETS[:3])))
    scores = {name: np.where(np.eye(3, dtype=bool), np.nan, rng.normal(size=(3, 3))) for name in ("one", "other")}
    (folder / "estimators.csv").write_text(as_csv(scores_of_estimators(scores, TARGETS[:3])))
    edges = [(*arrow, gain, "inconclusive") for arrow, gain in zip(arrows, rng.normal(size=6), strict=True)]
    write_csv(folder / "edges.csv", ("source", "target", "gain", "verdict"), edges)
    spec = _probe()
    counts = [np.stack([rng.integers(0, 2, 16), np.ones(16)], 1).astype(float) for _ in range(2)]
    metric = METRICS["accuracy"]
    last, averaged = (float(metric.score_examples(array)) for array in counts)
    made = ProbeScores(spec.run_id, "accuracy", last, averaged, 1, 0.75, {"train_seconds": 1.0}, {"torch": "2"})
    store = RunStore(folder)
    store.folder(spec).mkdir(parents=True)
    store.begin(spec)
    write_probe(store.folder(spec), ProbeResult(spec, made, *counts, np.arange(16) // 2))


def _probe() -> Any:
    from taskaffinity.runs.probes import ProbeDesign, probes_of, singles_to_probe

    study = _study()
    singles = singles_to_probe(study, 1)
    return next(iter(probes_of(study, ProbeDesign(30, 1, 0.2), singles, dict.fromkeys(singles, 0.9))))


def _read_estimates(place: Path, path: Path) -> Any:
    """The estimates that may stand for gains; each output says which arrows have none."""
    from taskaffinity.analysis.estimates.stored import read_estimates

    found = read_estimates(path.parent, TARGETS[:3])
    assert found is not None
    values = [np.round(array[found.known], 6).tolist() for array in (found.probe, found.se, found.low, found.high)]
    known = np.argwhere(found.known).tolist()
    if path.name not in _KNOWN:
        _KNOWN[path.name] = known
    if known != _KNOWN[path.name]:
        raise InputError("fewer arrows have an estimate, as every output says")
    return [values, found.sign[found.known].tolist()]


_KNOWN: dict[str, Any] = {}


def _read_estimators(place: Path, path: Path) -> Any:
    import pandas as pd

    from taskaffinity.analysis.estimates.validation import estimator_scores

    frame = pd.DataFrame({"source": ["polar"], "target": ["names"], "probe": [1.0]})
    return {name: scores.to_dict() for name, scores in estimator_scores(frame, _study(), path.parent).items()}


def _read_design(place: Path, path: Path) -> Any:
    from taskaffinity.analysis.estimates.results import EstimateResults

    return EstimateResults.load(path.parent).to_frame().to_csv()


def _read_probe(place: Path, path: Path) -> Any:
    from taskaffinity.runs.probe_result import read_probe
    from taskaffinity.runs.store import RunStore

    with as_user_error():
        found = read_probe(RunStore(place / "estimated"), _probe())
    assert found is not None
    assert found.documents is not None
    numbers = {key: value for key, value in asdict(found.scores).items() if key in ("last", "averaged", "source")}
    return [numbers, found.last.tolist(), found.averaged.tolist(), found.documents.tolist()]


def _read_edges(place: Path, path: Path) -> Any:
    from taskaffinity.analysis.publish import check_has_runs
    from taskaffinity.runs.store import RunStore

    try:
        check_has_runs(_study(), RunStore(path.parent), path.parent)
    except InputError as error:
        if "has gains, but no run" not in str(error):
            raise


def _write_several(folder: Path) -> None:
    rows = [(f"narrow {mark}0000", "polar", 50.0) for mark in ("0a1b2c3d", "4e5f6a7b")]
    write_csv(folder / "encoders.csv", ("encoder", "task", "score"), rows)
    for mark in ("0a1b2c3d", "4e5f6a7b"):
        _study(design="full", finetune={name: _study().recipe for name in TARGETS[:3]}).write(folder / f"n-{mark}")


def _read_encoders(place: Path, path: Path) -> Any:
    from taskaffinity.analysis.encoder_folders import encoder_study_folders

    return [folder.name for folder in encoder_study_folders(path.parent)]


def _write_checkpoint(folder: Path) -> None:
    from safetensors.numpy import save_file

    from taskaffinity.runs.stored.checkpoint_files import CheckpointFolder, SelectedEpoch, TrainingState

    folder.mkdir(parents=True)
    tensors = {"model/w": np.arange(6, dtype=np.float32), "optimizer/m": np.ones(3, dtype=np.float32)}
    state = TrainingState(
        *("run", {"torch": "2"}, 2, 3, 40, 1.5, {"steps": 4.0}, [{"epoch": 1, "loss": {}}]),
        selected={"polar": SelectedEpoch(1, ["yes", "no"])},
        improving=["polar"],
    )
    CheckpointFolder(folder).write(state, lambda path, about: save_file(tensors, path, dict(about)))


def _read_checkpoint(place: Path, path: Path) -> Any:
    from taskaffinity.runs.stored.checkpoint_files import CheckpointFolder
    from taskaffinity.training.resume import read_tensors

    logging.getLogger("taskaffinity.runs.stored.checkpoint_files").propagate = False
    found = CheckpointFolder(place / "running").read("run", {"torch": "2"})
    if found is None:
        raise InputError("the checkpoint is removed; the run starts from its beginning")
    return [asdict(found[1]), {name: tensor.tolist() for name, tensor in read_tensors(found[0]).items()}]
