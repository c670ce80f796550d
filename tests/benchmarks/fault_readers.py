"""Every reader of the package, on a folder that it reads and one file in it that is damaged."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from fault_shapes import fill_shapes, shape_readers
from fault_tables import fill_tables, table_readers
from fault_world import World

from taskaffinity.errors import InputError, as_user_error


@dataclass(frozen=True)
class Reader:
    """How files are read, and what a damaged one may give."""

    name: str
    folder: str
    """Folder that is read, below the place of the damages."""
    files: str
    """Pattern of the files that are damaged, below ``folder``."""
    read: Callable[[Path, Path], Any]
    """Takes the place and the damaged file; returns what is compared."""
    is_exact: bool = False
    """Whether a damaged file must be refused, or give what the intact one gives."""
    n: int = 100
    """Damages in the whole campaign."""


def readers() -> list[Reader]:
    """All readers; those of a results folder are exact."""
    runs = "runs/*"
    return [
        Reader("counts.npz", "study", f"{runs}/counts.npz", _read_run, True, 700),
        Reader("result.json", "study", f"{runs}/result.json", _read_run, True, 700),
        Reader("spec.json", "study", f"{runs}/spec.json", _read_run, True, 400),
        Reader("history.jsonl", "study", f"{runs}/history.jsonl", _read_run, True, 300),
        Reader("study.json", "study", "study.json", _read_study, False, 400),
        Reader("full.json", "full", "full.json", _read_full, False, 200),
        Reader("predictions.parquet", "study", f"{runs}/predictions.parquet", _read_rare_classes, True, 150),
        Reader("model weights", "study", f"{runs}/model/epoch-*.safetensors", _read_model, True, 120),
        Reader("model heads", "study", f"{runs}/model/head-*.safetensors", _read_model, True, 120),
        Reader("tracked.json", "study", "tracked.json", _read_tracked, False, 150),
        Reader("trials", "tuned", "tune/s*.json", _read_trials, True, 300),
        Reader("progress.json", "study", "progress.json", _read_heartbeat, False, 60),
        Reader("encoded cache", "cache", "encoded/*/**/*.*", _read_cache, True, 150),
        Reader("suite.yaml", "data", "suite.yaml", _read_suite, False, 200),
        Reader("user CSV", "data", "polar/*.csv", _read_suite, False, 150),
        Reader("user TSV", "data", "alike/*.tsv", _read_suite, False, 150),
        Reader("user JSON Lines", "data", "holds/*.jsonl", _read_suite, False, 150),
        Reader("user CoNLL", "data", "names/*.conll", _read_suite, False, 150),
        Reader("recipe.yaml", "data", "recipe.yaml", _read_recipe, False, 200),
        Reader("unlabelled text", "data", "text.*", _read_text, False, 200),
        Reader("BLUE TSV", "raw", "mednli/*.tsv", partial(_convert, "mednli", form="blue"), False, 250),
        Reader("original XML", "raw", "rqe/*.xml", partial(_convert, "rqe"), False, 250),
        Reader("original brat", "raw", "brat/a.*", _read_brat, False, 200),
        Reader("prepared tasks", "prepared", "rqe/*.json*", _read_prepared, False, 200),
        Reader("encoder", "encoder", "*", _read_encoder, False, 150),
        Reader("exported model", "model", "*", _read_exported, False, 80),
        *table_readers(),
        *shape_readers(),
    ]


def fill(place: Path, world: World, done: Mapping[str, Path]) -> None:
    """Copy all folders that are read, intact, and make those that no command writes."""
    from taskaffinity.corpora.prepare import prepare

    shutil.copytree(world.root, place, dirs_exist_ok=True)
    for name, folder in done.items():
        shutil.copytree(folder, place / name)
    prepare("rqe", place / "raw" / "rqe", place / "prepared")
    (place / "study" / "progress.json").write_text(
        json.dumps({"epoch": 1, "epochs": 2, "share": 0.5, "examples_per_second": 9.0, "dev": {"names": 0.5}})
    )
    _read_tracked(place, place)
    _read_cache(place, place)
    fill_tables(place)
    fill_shapes(place / "shapes")


def _study(place: Path) -> Any:
    from taskaffinity.runs.study import Study

    key = str(place)
    if key not in _STUDIES:
        _STUDIES[key] = Study.load(place / "study")
    return _STUDIES[key]


_STUDIES: dict[str, Any] = {}


def _run_of(place: Path, path: Path) -> Any:
    folder = next(parent for parent in path.parents if parent.parent.name == "runs")
    return next(spec for spec in _study(place).plan if spec.run_id == folder.name)


def _read_run(place: Path, path: Path) -> Any:
    """The run; where its numbers are others, every number of the study."""
    import taskaffinity as ta
    from taskaffinity.runs.store import RunStore

    spec = _run_of(place, path)
    with as_user_error():
        try:
            result = RunStore(place / "study").read(spec)
        except LookupError as error:
            raise InputError(str(error)) from error
        numbers = (
            {name: _rounded(asdict(outcome)) for name, outcome in result.outcomes.items()},
            {key: np.asarray(array).tolist() for key, array in sorted(result.counts.items())},
            {key: np.asarray(array).tolist() for key, array in sorted(result.documents.items())},
            [{k: v for k, v in row.items() if k != "seconds"} for row in result.history],
        )
    if numbers != _NUMBERS.setdefault(spec.run_id, numbers):
        ta.load(place / "study").to_frame()  # refused by now, if anything refuses it
    return numbers


def _rounded(outcome: dict[str, Any]) -> dict[str, Any]:
    """Scores to nine digits; the last ones are no other number."""
    return {key: round(value, 9) if isinstance(value, float) else value for key, value in outcome.items()}


_NUMBERS: dict[str, Any] = {}


def _read_study(place: Path, path: Path) -> Any:
    import taskaffinity as ta

    return ta.load(path.parent).to_frame().to_csv()


_read_full = _read_study


def _read_rare_classes(place: Path, path: Path) -> Any:
    from taskaffinity.analysis.cautions.rare_classes import find_rare_classes
    from taskaffinity.runs.store import RunStore

    with as_user_error():
        return find_rare_classes(_study(place), RunStore(place / "study"))


def _read_model(place: Path, path: Path) -> Any:
    """The exported model of the run."""
    from taskaffinity.runs.best_model import best_model
    from taskaffinity.training.export.export import export

    spec, out = _run_of(place, path), place / "exported"
    shutil.rmtree(out, ignore_errors=True)
    task = path.stem.removeprefix("head-") if path.stem.startswith("head-") else spec.task_names[0]
    export(best_model(place / "study", task, spec.run_id), out)
    return {one.name: one.read_bytes() for one in out.iterdir() if one.suffix in (".safetensors", ".json")}


def _read_tracked(place: Path, path: Path) -> Any:
    """What is logged to an invented tracker."""
    from taskaffinity.runs.store import RunStore
    from taskaffinity.tracking import tracker

    logged: list[str] = []
    module = ModuleType("taskaffinity.tracking.invented")
    recorder = SimpleNamespace(
        where="", log_run=lambda run: logged.append("run"), log_study=lambda study: None, close=lambda: None
    )
    module.open_tracker = lambda study, root: recorder  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    said: list[str] = []
    tracker.RunTracker(["invented"], _study(place), RunStore(place / "study"), said.append).end()
    for line in said:
        raise InputError(line)
    return None


def _read_trials(place: Path, path: Path) -> Any:
    from taskaffinity.runs.recipe import Recipe
    from taskaffinity.runs.spec import EncoderRef
    from taskaffinity.tuning.trials import Trial, TrialFolder

    if path.name not in _TRIALS:
        content = json.loads(path.read_text())
        tasks, recipe = tuple(content["tasks"].items()), Recipe(**content["recipe"])
        _TRIALS[path.name] = Trial(tasks, EncoderRef(**content["encoder"]), recipe, content["seed"])
    record = TrialFolder(path.parent).read(_TRIALS[path.name])
    return record and (record.scores, record.collapsed, record.failure)


_TRIALS: dict[str, Any] = {}


def _read_heartbeat(place: Path, path: Path) -> Any:
    from taskaffinity.runs.heartbeat import Heartbeat

    beat = Heartbeat.read(path.parent)
    return beat and beat.share_of_run


def _read_cache(place: Path, path: Path) -> Any:
    """The encoded tasks after ``prepare``, which mends what is damaged."""
    from taskaffinity.runs.recipe import Recipe
    from taskaffinity.tasks.catalog import load_suite
    from taskaffinity.training.encoders.load import find_encoder
    from taskaffinity.training.execute import prepare
    from taskaffinity.training.inputs.encoded_cache import read_encoded
    from taskaffinity.training.setup import encoded_folder

    key = str(place)
    if key not in _SUITES:
        _SUITES[key] = (list(load_suite(place / "data" / "suite.yaml")), find_encoder(str(place / "encoder")))
    (tasks, encoder), recipe = _SUITES[key], Recipe()
    (place / "cache").mkdir(mode=0o700, exist_ok=True)
    prepare(tasks, encoder, recipe, place / "cache")
    found = []
    for task in tasks:
        folder = encoded_folder(place / "cache", task.fingerprint, encoder.ref.fingerprint, recipe)
        meta, splits = read_encoded(folder)
        for split in splits.values():
            found.append([np.asarray(value).tolist() for value in asdict(split).values()])
        found.append([asdict(meta)])
    return found


_SUITES: dict[str, Any] = {}


def _examples(tasks: Sequence[Any]) -> int:
    return sum(len(examples) for task in tasks for examples in task.examples.values())


def _read_suite(place: Path, path: Path) -> Any:
    from taskaffinity.tasks.catalog import load_suite

    return _examples(list(load_suite(place / "data" / "suite.yaml")))


def _read_recipe(place: Path, path: Path) -> Any:
    from taskaffinity.runs.recipe import Recipe
    from taskaffinity.runs.recipe_file import read_recipe

    found = read_recipe(path)
    try:
        return replace(Recipe(), **found.settings)
    except ValueError as error:
        raise InputError(str(error)) from error


def _read_text(place: Path, path: Path) -> Any:
    from taskaffinity.tasks.passages import read_passages
    from taskaffinity.tasks.unlabelled import read_unlabelled

    first: list[InputError] = []
    for read in (lambda: read_passages([path]), lambda: list(read_unlabelled(path, "ner"))):
        try:
            read()
        except InputError as error:
            first.append(error)
    if first:
        raise first[0]
    return None


def _convert(corpus: str, place: Path, path: Path, form: Any = "original") -> Any:
    from taskaffinity.corpora.prepare import prepare

    out = place / "converted"
    shutil.rmtree(out, ignore_errors=True)
    return [task.card.counts for task in prepare(corpus, place / "raw" / corpus, out, form=form)]


def _read_brat(place: Path, path: Path) -> Any:
    from taskaffinity.tasks.standoff.brat import read_document

    document = read_document(path.with_suffix(".txt"))
    return len(document.mentions), len(document.relations)


def _read_prepared(place: Path, path: Path) -> Any:
    from taskaffinity.tasks.formats import read_task

    return _examples([read_task(path.parent)])


def _read_encoder(place: Path, path: Path) -> Any:
    from taskaffinity.training.encoders.checks import check_bidirectional, longest_input
    from taskaffinity.training.encoders.load import find_encoder, load_encoder, load_tokenizer

    folder = find_encoder(str(path.parent)).folder
    longest_input(folder)
    tokenizer = load_tokenizer(folder)
    check_bidirectional(load_encoder(folder)[0], folder)
    return len(tokenizer)


def _read_exported(place: Path, path: Path) -> Any:
    from taskaffinity.tasks.unlabelled import read_unlabelled
    from taskaffinity.training.export.predictor import Predictor

    predictor = Predictor(path.parent)
    return len(list(predictor.predict(read_unlabelled(place / "data" / "text.txt", predictor.meta.kind))))


def files_of(reader: Reader, place: Path) -> Iterator[Path]:
    """The intact files that the reader reads."""
    yield from sorted(path for path in (place / reader.folder).glob(reader.files) if path.is_file())
