"""A command and the function of its name ask the same question: same options, same defaults, same runs, same files."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import shutil
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

import taskaffinity as ta
from taskaffinity.analysis.tables.frames import as_csv
from taskaffinity.cli import app, estimate, full, pairwise, train, tune
from taskaffinity.errors import InputError
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import FullBaseline
from taskaffinity.studies import api, steps
from taskaffinity.studies.listener import LogListener
from taskaffinity.studies.options import FullOptions, PairwiseOptions, TrainOptions, TuneOptions
from taskaffinity.tasks.secondary_metrics import secondary_metrics

pytestmark = pytest.mark.usefixtures("no_figures")

EXAMPLE = Path(__file__).parents[2] / "notebooks" / "example_results"
ONLY_CLI = {"domain", "suite_file", "dry_run", "json", "quiet"}
ONLY_PYTHON = {"suite", "listener"}
ONLY_ESTIMATE = {"budget", "baselines"}
NAMES = {"set_": "settings", "results": "output_dir", "predictions": "keep_predictions"}
"""Parameters of a command that Python calls otherwise."""
SMALL = {"num_train_epochs": 1, "max_train_examples": 48, "max_eval_examples": 40}
SET = [f"--set={key}={value}" for key, value in SMALL.items()]


def defaults(function: Any, without: set[str]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    found = {NAMES.get(p.name, p.name): p.default for p in parameters if p.name not in without}
    return {name: None if default == () else default for name, default in found.items()}  # both mean nothing


@pytest.mark.parametrize(
    ("command", "function", "options"),
    [
        (pairwise.command, api.pairwise, PairwiseOptions),
        (full.command, api.full, FullOptions),
        (tune.command, api.tune, TuneOptions),
        (train.command, ta.train, TrainOptions),
    ],
)
def test_command_and_function_have_the_same_options_and_defaults(command: Any, function: Any, options: Any) -> None:
    assert defaults(command, ONLY_CLI) == defaults(function, ONLY_PYTHON)
    asked = {f.name: None if f.default in (MISSING, ()) else f.default for f in fields(options)}
    beside = {"data", "report_to"}
    assert asked == {k: v for k, v in defaults(function, ONLY_PYTHON).items() if k not in beside} | {"suite_file": None}


def plan_of_command(*arguments: str) -> list[str]:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(typer.Exit):
        app([*arguments, "--dry-run", "--json", "--quiet"], standalone_mode=False)
    [study] = json.loads(said.getvalue())["studies"]
    return [run["run_id"] for run in study["runs"]]


def own_suite(folder: Path) -> Path:
    """Three tasks of a user's own, written as a suite file with its data."""
    from taskaffinity.tasks.user.template import example_files

    for name, content in example_files("suite.yaml").items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder / "suite.yaml"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    from taskaffinity.tasks.planted import VOCABULARY
    from taskaffinity.training.encoders.load import tiny_encoder

    return str(tiny_encoder(VOCABULARY, tmp_path_factory.mktemp("encoder"), layers=1, width=16).folder)


GRID: dict[str, tuple[list[str], dict[str, Any]]] = {
    "default": ([], {}),
    "seeds": (["--seeds=2", "--seeds-single=4", "--base-seed=7"], {"seeds": 2, "seeds_single": 4, "base_seed": 7}),
    "recipe": (["--set=learning_rate=1e-3"], {"settings": {**SMALL, "learning_rate": 1e-3}}),
    "fine-tuned": (
        ["--evaluate-after=finetune", "--set=finetune.num_train_epochs=1"],
        {"evaluate_after": "finetune", "settings": {**SMALL, "finetune.num_train_epochs": 1}},
    ),
    "multi-task start": (["--init-from=multitask"], {"init_from": "multitask"}),
    "controls": (["--controls"], {"controls": True}),
    "sequential": (["--sequential", "--seeds=2", "--max-seeds=4"], {"sequential": True, "seeds": 2, "max_seeds": 4}),
    "compute-matched": (["--baseline=compute-matched"], {"baseline": "compute-matched"}),
    "the whole set": (["--full"], {"full": True}),
    "threads": (["--cpus-per-run=2"], {"cpus_per_run": 2}),
}


@pytest.mark.parametrize(
    ("name", "suite"), [*((name, "file") for name in GRID), ("default", "domain"), ("controls", "domain")]
)
def test_command_and_function_plan_the_same_runs(name: str, suite: str, tmp_path: Path, encoder: str) -> None:
    flags, options = GRID[name]
    options = {"settings": SMALL, **options}
    where = ["--domain=clinical"]
    what: str | Path = "clinical"
    if suite == "file":
        what = own_suite(tmp_path)
        where = [f"--suite={what}", f"--encoder={encoder}"]
        options["encoder"] = encoder
    settings = {**options["settings"], "precision": None} if suite == "file" else options["settings"]
    none = ["--set=precision=none"] if suite == "file" else []
    planned = steps.plan_pairwise(
        what,
        PairwiseOptions(**{**options, "settings": settings}, output_dir=tmp_path / "python", executor="local"),
        LogListener(),
        dry_run=True,
    )
    by_command = plan_of_command(
        "pairwise", *where, *SET, *none, *flags, f"--results={tmp_path / 'command'}", "--executor=local"
    )
    assert [spec.run_id for spec in planned.plan] == by_command


def two_of_three(folder: Path) -> tuple[Path, Path, list[str]]:
    """A suite file of three tasks, one with the first and the third of them, and the names of these."""
    suite = own_suite(folder)
    content = yaml.safe_load(suite.read_text())
    names = [name for number, name in enumerate(content["tasks"]) if number != 1]
    kept = {name: content["tasks"][name] for name in names}
    (folder / "two.yaml").write_text(yaml.safe_dump({**content, "tasks": kept}, sort_keys=False))
    return suite, folder / "two.yaml", names


@pytest.mark.parametrize("name", ["pairwise", "full", "estimate"])
def test_tasks_plan_the_runs_of_a_suite_file_with_only_these_tasks(name: str, tmp_path: Path, encoder: str) -> None:
    suite, two, names = two_of_three(tmp_path)
    common = [f"--encoder={encoder}", *SET, "--set=precision=none", "--executor=local"]
    common += ["--set=num_train_epochs=200", "--set=batch_size=2"] * (name == "estimate")  # probes must be affordable
    asked = [f"--suite={suite}", f"--tasks={names[1]},{names[0]}", f"--results={tmp_path / 'asked'}"]
    file = [f"--suite={two}", f"--results={tmp_path / 'file'}"]
    planned = plan_of_command(name, *asked, *common)
    assert planned == plan_of_command(name, *file, *common)
    assert planned
    with pytest.raises(InputError, match=f"tasks 'x{names[0]}': no such task .*did you mean {names[0]}"):
        getattr(ta, name)(suite, tasks=[f"x{names[0]}", names[1]], encoder=encoder, output_dir=tmp_path / "no")
    with pytest.raises(InputError, match=r"tasks: found 1 of .*expected 2 or more"):
        getattr(ta, name)(suite, tasks=names[0], encoder=encoder, output_dir=tmp_path / "no")


def test_tasks_of_a_search_are_those_of_a_suite_file_with_only_these_tasks(tmp_path: Path, encoder: str) -> None:
    suite, file, names = two_of_three(tmp_path)
    options = {"encoder": encoder, "executor": "local", "output_dir": tmp_path / "results"}
    asked = steps.plan_tune(suite, TuneOptions(**options, tasks=names[0]))
    assert [name for name, _ in asked.search.tasks] == names[:1]
    both = steps.plan_tune(suite, TuneOptions(**options, tasks=names[::-1]))
    assert both.search == steps.plan_tune(file, TuneOptions(**options)).search
    with pytest.raises(InputError, match="tasks: found 0 of"):
        ta.tune(suite, tasks=[], **options)


@pytest.mark.parametrize("baseline", ["single", "paper-single"])
def test_the_papers_protocol_is_planned_alike(baseline: FullBaseline, tmp_path: Path, encoder: str) -> None:
    suite = own_suite(tmp_path)
    common = [f"--suite={suite}", f"--encoder={encoder}", "--protocol=paper", "--executor=local"]
    common += [f"--baseline={baseline}"]
    options = FullOptions(
        encoder=encoder, protocol="paper", baseline=baseline, executor="local", output_dir=tmp_path / "python"
    )
    [planned] = steps.plan_full(suite, options, LogListener(), dry_run=True)
    assert bool(planned.study.single_recipes) == (baseline == "paper-single")
    by_command = plan_of_command("full", *common, f"--results={tmp_path / 'command'}")
    assert [spec.run_id for spec in planned.plan] == by_command


@pytest.mark.parametrize("plan", [steps.plan_full, steps.plan_pairwise])
def test_the_papers_protocol_scores_mentions_as_its_scorer_does(plan: Any, tmp_path: Path, encoder: str) -> None:
    """Official is ``conlleval``, strict span F1 is beside it; other tasks keep their metric and their runs."""
    kind = FullOptions if plan is steps.plan_full else PairwiseOptions
    planned = {}
    for protocol in ("honest", "paper"):
        options = kind(encoder=encoder, protocol=protocol, executor="local", output_dir=tmp_path / protocol)
        asked = plan(own_suite(tmp_path), options, LogListener(), dry_run=True)
        planned[protocol] = asked[0] if isinstance(asked, list) else asked
    cards = {name: {card.kind: card for card in one.study.tasks} for name, one in planned.items()}
    assert cards["honest"]["ner"].metric == "span_f1"
    assert cards["paper"]["ner"].metric == "span_f1_conlleval"
    assert secondary_metrics("ner", cards["paper"]["ner"].metric, missed_are_known=False) == ("span_f1",)
    for kind_of_task, card in cards["honest"].items():
        assert (cards["paper"][kind_of_task] == card) == (kind_of_task != "ner")
    assert [task.ref for task in planned["paper"].suite] == [*planned["paper"].study.refs]  # what is encoded is studied


def test_a_whole_study_by_the_papers_protocol(tmp_path: Path, encoder: str) -> None:
    settings = {**SMALL, "finetune.num_train_epochs": 1, "released_classes": True, "reversed_pairs": True}
    result = ta.full(
        own_suite(tmp_path),
        encoder=encoder,
        seeds=1,
        protocol="paper",
        baseline="paper-single",
        settings=settings,
        executor="local",
        output_dir=tmp_path / "results",
    )
    assert result.failed == {}
    metrics = result.to_frame().groupby("task")["metric"].unique()
    [mentions] = [card.name for card in result.study.tasks if card.kind == "ner"]
    assert list(metrics[mentions]) == ["span_f1_conlleval"]
    beside = (tmp_path / "results/stages_other_metrics.csv").read_text().splitlines()
    assert [line for line in beside if line.startswith(f"{mentions},") and ",span_f1," in line]
    title, *lines, last = (tmp_path / "results/departures.txt").read_text().splitlines()
    assert last.startswith("Settings of this study that differ from the protocol's: num_train_epochs=1 (")
    assert title.startswith(f"--protocol paper: {len(lines)} departures")
    assert not [line for line in lines if "reversed_pairs" in line or "released_classes" in line]
    assert {spec.recipe.trains_on_dev for spec in result.study.plan if spec.task_names == (mentions,)} == {True}
    with pytest.raises(InputError, match="keep_models: not with reversed_pairs"):
        ta.full(
            own_suite(tmp_path),
            encoder=encoder,
            protocol="paper",
            settings=settings,
            keep_models=True,
            executor="local",
            output_dir=tmp_path / "kept",
        )


@pytest.mark.slow
def test_command_and_function_write_the_same_edges_byte_for_byte(tmp_path: Path) -> None:
    result = ta.pairwise(
        "clinical", seeds=2, seeds_single=2, settings=SMALL, executor="local", output_dir=tmp_path / "python"
    )
    where = [f"--results={tmp_path / 'command'}", "--executor=local", "--quiet"]
    with contextlib.suppress(typer.Exit):
        app(["pairwise", "--domain=clinical", "--seeds=2", "--seeds-single=2", *SET, *where], standalone_mode=False)
    for name in ("edges.csv", "scores.csv"):
        assert (tmp_path / "python" / name).read_bytes() == (tmp_path / "command" / name).read_bytes()
    assert result.failed == {}
    assert result.gain.shape == (4, 4)
    again = ta.load(tmp_path / "command")
    assert again.to_frame().equals(result.to_frame())
    assert all(spec in RunStore(tmp_path / "command") for spec in result.study.plan)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fine-tuned", "multi-task start", "controls", "sequential", "compute-matched"])
def test_the_function_finds_the_runs_of_the_command_and_writes_the_same_edges(
    name: str, tmp_path: Path, encoder: str
) -> None:
    """In a copy of the command's runs the function trains nothing, so it asks for the same runs."""
    flags, options = GRID[name]
    suite, command, python = own_suite(tmp_path), tmp_path / "command", tmp_path / "python"
    where = [f"--suite={suite}", f"--encoder={encoder}", f"--results={command}", "--executor=local", "--quiet"]
    few = [] if name == "sequential" else ["--seeds=2", "--seeds-single=2"]
    with contextlib.suppress(typer.Exit):
        app(["pairwise", *where, *SET, "--set=precision=none", *few, *flags], standalone_mode=False)
    shutil.copytree(command / "runs", python / "runs")
    trained = {path: path.stat().st_mtime_ns for path in python.glob("runs/*/result.json")}
    given = {"settings": SMALL, **({"seeds": 2, "seeds_single": 2} if few else {}), **options}
    given["settings"] = {**given["settings"], "precision": None}
    result = ta.pairwise(suite, encoder=encoder, executor="local", output_dir=python, **given)
    assert result.failed == {}
    assert trained
    assert {path: path.stat().st_mtime_ns for path in python.glob("runs/*/result.json")} == trained
    for file in ("edges.csv", "scores.csv"):
        assert (python / file).read_bytes() == (command / file).read_bytes()


def test_estimate_has_the_options_and_defaults_of_its_command_and_of_pairwise() -> None:
    of_function = defaults(ta.estimate, ONLY_PYTHON)
    assert defaults(estimate.command, ONLY_CLI | {"validate", "context"}) == of_function
    of_pairwise = defaults(ta.pairwise, ONLY_PYTHON)
    assert {name: of_pairwise.get(name) for name in of_function if name not in ONLY_ESTIMATE} == {
        name: default for name, default in of_function.items() if name not in ONLY_ESTIMATE
    }


def test_old_names_of_options_still_work_and_say_so(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    from taskaffinity import cli

    arguments = ["pairwise", "--domain=clinical", "--match", "compute", "--max-seeds=9", "--quiet"]
    monkeypatch.setattr("sys.argv", ["taskaffinity", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert said[0] == "taskaffinity: --match is now --baseline; the next release drops the old name"
    assert said[1].startswith("taskaffinity: --max-seeds 9: an option of sequential designs")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"executor": "locl"}, "no executor 'locl'; there are ray, local; did you mean local?"),
        ({"baseline": "updates"}, "no baseline 'updates'; there are single, compute-matched"),
        ({"seeds": 0}, "seeds is 0; it must be at least 1"),
        ({"seeds": "three"}, "seeds is 'three'; it must be a whole number"),
        ({"seeds": True}, "seeds is True; it must be a whole number"),
        ({"full": "yes"}, "full is 'yes'; it must be true or false"),
        ({"alpha": 0.7}, "alpha is 0.7; it must be at least 0.0001 and at most 0.5, or none"),
        ({"sequential": True, "max_seeds": 2}, "max_seeds is 2; it must be at least 3 and at most 1000, or none"),
        ({"settings": 5}, "settings: found 5; expected KEY=VALUE texts, or a mapping"),
        ({"settings": {"lr": 1e-3}}, "settings lr: no such setting; did you mean learning_rate?"),
        ({"settings": "lr=1e-3"}, "settings lr: no such setting"),
        ({"margin": True}, "margin: found True; expected a number of points"),
        ({"margin": "bleu=2"}, "a margin for bleu: no such metric"),
        (
            {"margin": "macro_f1=2"},
            "macro_f1=2: no task of the study is scored by it; expected accuracy=2 or micro_f1=2",
        ),
        ({"report_to": 5}, "report_to: found 5; expected a list of trackers"),
        ({"margin": {"bleu": 1.0}}, "a margin for bleu: no such metric"),
        ({"report_to": "wandbb"}, "report_to wandbb: no such tracker"),
        ({"recipe": 5}, "recipe: found 5; expected a path"),
        ({"recipe": ""}, "recipe: an empty name; expected a path"),
        ({"encoder": " "}, "encoder: an empty name; expected a folder or a hub id"),
        ({"data": ""}, "data: found an empty text; expected the folder of the task files"),
        ({"data": 5}, "data: found 5; expected the folder of the task files"),
    ],
)
def test_a_bad_option_is_one_line(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        ta.pairwise("clinical", output_dir=tmp_path / "results", **options)
    assert said in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("suite", "said"),
    [
        ("clinicl", "suite clinicl.*: no such suite; .* did you mean clinical"),
        ("no-such.yaml", "no-such.yaml: found no such file"),
        (None, "suite: found null; expected a Suite, a YAML file, or one of clinical"),
        ({"a": 1}, "suite: found an object of 1; expected a Suite"),
    ],
)
def test_a_suite_that_is_not_there_is_one_line(suite: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        ta.pairwise(suite, output_dir=tmp_path / "results")


@pytest.mark.parametrize("function", [ta.pairwise, ta.full, ta.estimate])
def test_one_task_alone_compares_nothing(function: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="suite clinical: found 1 task; expected 2 or more"):
        function(ta.load_suite("clinical").only("mednli"), output_dir=tmp_path / "results", executor="local")
    assert not (tmp_path / "results").exists()


def test_an_encoder_may_be_a_path_and_a_suite_in_memory_takes_no_data(tmp_path: Path, encoder: str) -> None:
    suite = ta.load_suite(own_suite(tmp_path))
    with pytest.raises(InputError, match="a data folder for a suite that names its data"):
        ta.pairwise(suite, data=tmp_path, encoder=Path(encoder))
    with pytest.raises(InputError, match=r"encoder .*absent: no such folder"):
        ta.full(suite, encoders=[Path(encoder), tmp_path / "absent"], executor="local", output_dir=tmp_path / "results")


def test_each_run_that_ends_is_logged(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level("INFO", "taskaffinity"):
        ta.full("clinical", seeds=1, settings=SMALL, executor="local", output_dir=tmp_path)
    done = [record.message for record in caplog.records if record.message.startswith("done: ")]
    assert len(done) == 9
    assert done[-1].endswith("; 9/9 runs done")


@pytest.mark.parametrize(
    "call", [lambda results: results.plot("bars"), lambda results: results.plot("graph", palette="rainbow")]
)
def test_a_figure_or_palette_that_is_not_there_is_one_line(call: Any) -> None:
    with pytest.raises(InputError, match=r"plot: found .* expected one of"):
        call(ta.load(EXAMPLE))


def test_command_and_function_refuse_the_same_numbers(tmp_path: Path) -> None:
    for name, value in (("alpha", 0.7), ("alpha", 0.00001), ("max_seeds", 2), ("seeds", 0), ("cpus_per_run", 0)):
        with pytest.raises(InputError, match=name):
            ta.pairwise("clinical", output_dir=tmp_path / "results", **{name: value})
        option = f"--{name.replace('_', '-')}"
        done = CliRunner().invoke(app, ["pairwise", "--domain=clinical", f"{option}={value}"])
        assert (done.exit_code, option in done.output) == (2, True)
    assert not (tmp_path / "results").exists()


def test_a_rule_given_to_load_is_that_of_the_graph_command(tmp_path: Path) -> None:
    root = Path(shutil.copytree(EXAMPLE, tmp_path / "results"))
    app(["graph", str(root), "--alpha=0.2", "--margin=0.3", "--figures=heatmap"], standalone_mode=False)
    edges = as_csv(ta.load(root, alpha=0.2, margin=0.3).to_frame())
    assert edges == (root / "edges.csv").read_text()
    assert edges != as_csv(ta.load(root).to_frame())
    with pytest.raises(InputError, match=r"alpha is 0.7; it must be at least"):
        ta.load(root, alpha=0.7)


def test_a_folder_is_loaded_as_what_it_holds(tmp_path: Path, encoder: str) -> None:
    with pytest.raises(InputError, match="taskaffinity full"):
        ta.StagesResults.load(EXAMPLE)
    small = {"seeds": 1, "settings": SMALL, "executor": "local"}
    made = ta.full(own_suite(tmp_path), encoders=[encoder], output_dir=tmp_path / "several", **small)
    again = ta.load(tmp_path / "several")
    assert isinstance(again, ta.EncoderResults)
    assert again.to_frame().equals(made.to_frame())
    assert isinstance(ta.load(again.studies[0].root), ta.StagesResults)


def test_a_report_needs_runs_and_a_file(tmp_path: Path) -> None:
    root = Path(shutil.copytree(EXAMPLE, tmp_path / "results"))
    with pytest.raises(InputError, match="a folder; expected a file"):
        ta.load(root).report(tmp_path)
    shutil.rmtree(root / "runs")
    with pytest.raises(InputError, match="no run"):
        ta.load(root).report()
    assert not (root / "report.html").exists()


def test_a_search_is_logged(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level("INFO", "taskaffinity"):
        found = ta.tune(
            "clinical", n_trials=1, confirm_seeds=1, settings=SMALL, executor="local", output_dir=tmp_path / "tuned"
        )
    assert found.recipe is not None
    assert (tmp_path / "tuned" / "recipe.yaml").is_file()
    assert [record.message for record in caplog.records if " trials done: " in record.message]
