"""Write what follows from the code: the reference pages, and the table that README and the first tutorial show.

``python docs/generate.py`` writes them; a test says when they are out of date.
"""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import typer
from pydantic import TypeAdapter
from typer.testing import CliRunner

from taskaffinity.analysis.tables.columns import COLUMNS
from taskaffinity.cli import app
from taskaffinity.runs import recipe
from taskaffinity.runs.departures import DEPARTURES

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "reference"
PACKAGE = ROOT / "taskaffinity"
SHOW_THE_TABLE = ("README.md", "docs/tutorials/first-graph.md")
_TABLE = re.compile(r"^```text\nGain of training .*?^```$", re.MULTILINE | re.DOTALL)
NOTE = "<!-- Written by docs/generate.py. Change the code, then run it again. -->\n\n"


def cli_page() -> str:
    """Every command with its arguments and options, by panel."""
    group: Any = typer.main.get_command(app)
    lines = [
        "# Commands\n",
        "Exit codes: 0 all done, 1 some runs failed, 2 bad usage or input, or a full disk, 130 interrupted,\n"
        "143 terminated.\n",
    ]
    lines += ["`taskaffinity --install-completion` installs completion for your shell.\n"]
    for name, command in group.commands.items():
        inner = getattr(command, "commands", {}).items()
        lines += _command(name, command)
        for sub_name, sub in inner:
            lines += _command(f"{name} {sub_name}", sub)
    return NOTE + "\n".join(lines)


def _command(name: str, command: Any) -> list[str]:
    about = (command.help or "").replace("\n\n", "\n").strip().splitlines()
    lines = [f"## taskaffinity {name}\n", *(f"{line.strip()}\n" for line in about)]
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    for one in arguments:
        lines.append(f"* `{one.metavar or one.name.upper()}`: {one.help or ''}".rstrip())
    if arguments:
        lines.append("")
    panels: dict[str, list[Any]] = {}
    for one in command.params:
        if one.param_type_name == "option" and not one.hidden and one.name != "help":
            panels.setdefault(getattr(one, "rich_help_panel", None) or "Options", []).append(one)
    for panel, options in panels.items():
        lines += [f"**{panel}**\n", "| option | meaning | default |", "|---|---|---|"]
        lines += [
            f"| `{', '.join((*one.opts, *one.secondary_opts))}` | {_cell(one.help)}{_bounds(one)} | {_default(one)} |"
            for one in options
        ]
        lines.append("")
    return lines


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _bounds(option: Any) -> str:
    """The range of a number option as a sentence."""
    found = re.fullmatch(r"<(?:int|float) (\S+)\.\.(\S+)>", option.metavar or "")
    return f" From {found[1]} to {found[2]}." if found else ""


def _default(option: Any) -> str:
    value: Any = option.default
    if (
        value is None
        or value is False
        or value == ()
        or callable(value)
        or option.required
        or "Sentinel" in repr(value)
    ):
        return ""
    return f"`{'yes' if value is True else value}`"


def of_synthetic_suites() -> str:
    """Return the settings in which the recipe of the synthetic suites differs from the default."""
    usual, small = recipe.Recipe(), recipe.FROM_SCRATCH
    changed = {one.name: getattr(small, one.name) for one in fields(recipe.Recipe)}
    changed = {name: value for name, value in changed.items() if value != getattr(usual, name)}
    return ", ".join(f"`{name}={value}`" for name, value in changed.items())


def recipe_page() -> str:
    """Every setting of a recipe with its type, default and meaning."""
    lines = [
        "# Settings of a recipe\n",
        "`--set KEY=VALUE` and a recipe file change these. Every setting can change a score, so it is part of what",
        "identifies a run. `none` means no limit. `finetune.KEY=VALUE` changes a setting for fine-tuning only.\n",
        "The synthetic suites start from a small encoder with random weights, and have other defaults:",
        f"{of_synthetic_suites()}.\n",
        "| setting | type | range | default | meaning |",
        "|---|---|---|---|---|",
    ]
    schemas = TypeAdapter(recipe.Recipe).json_schema()["properties"]
    meanings = setting_meanings()
    for one in fields(recipe.Recipe):
        default = "" if one.default is MISSING else "none" if one.default is None else str(one.default)
        kind = str(one.type).replace("Literal[", "").replace("]", "").replace("|", "or").replace("None", "none")
        if "Annotated" in kind:
            kind = re.split(r",\s*(?=Field\(|\w+\()", kind.partition("[")[2])[0].replace(",", " or")
        kind = re.sub(r"\bShare\b", "float", kind)
        kind = re.sub(r"\b(SamplingText|LossWeights|ClassWeights)\b", "text or none", kind)
        kind = kind.replace("BalanceName", "'uncertainty' or none")
        lines.append(
            f"| `{one.name}` | {kind} | {_range(schemas[one.name])} | {default} | {_cell(meanings.get(one.name))} |"
        )
    return NOTE + "\n".join(lines) + "\n"


def _range(schema: Mapping[str, Any]) -> str:
    """The range of a number, as an interval; empty for other types."""
    [bounds] = [one for one in (schema, *schema.get("anyOf", ())) if one.get("type") in ("integer", "number")] or [{}]
    least, above = bounds.get("minimum"), bounds.get("exclusiveMinimum")
    most, below = bounds.get("maximum"), bounds.get("exclusiveMaximum")
    if least is None and above is None:
        return ""
    start = f"above {above:g}" if least is None else f"{least:g}"
    if most is not None:
        return f"{start} to {most:,}"
    return f"{start} to below {below:g}" if below is not None else start


def setting_meanings() -> dict[str, str]:
    """The meaning of each setting: the description of its pydantic field, else the string below it."""
    found = {}
    for name, field in getattr(recipe.Recipe, "__pydantic_fields__", {}).items():
        if field.description:
            found[name] = field.description
    [tree] = [
        node
        for node in ast.parse(inspect.getsource(recipe)).body
        if isinstance(node, ast.ClassDef) and node.name == "Recipe"
    ]
    for before, after in zip(tree.body, tree.body[1:], strict=False):
        is_text = (
            isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str)
        )
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name) and is_text:
            found.setdefault(before.target.id, str(after.value.value))  # type: ignore[attr-defined]
    return found


FILES = {
    "study.json": "Settings of `pairwise`: tasks, data fingerprints, recipe, encoder, seeds, rule, versions.",
    "full.json": "Settings of `full`, with the same keys.",
    "train.json": "Settings of `train`, with the same keys.",
    "estimate.json": "The design of the probes of `estimate`: number per arrow, updates, and cost as a share of the "
    "training of all pairs; and the study that `estimates.csv` is of, because estimates of a replaced study are "
    "not used. A probe is a run, `probe-...`; it stores no history and no model.",
    "gpu_sharing.json": "With `--gpus-per-run auto`: examples per second of 1, 2, 4 and 8 runs at once on a GPU, which "
    "chose the share of a run. The same GPU model is not tried again.",
    "suite.yaml": "A copy of the suite file.",
    "recipe.yaml": "The recipe that `tune` chose; `tune/` has one JSON file per trial.",
    "runs/RUN/spec.json": "Settings of a run.",
    "runs/RUN/history.jsonl": "One line per epoch: training loss, dev scores, seconds.",
    "runs/RUN/counts.npz": "Counts per example by `TASK/SPLIT`, from which every score and interval follows; no text. "
    "Whole numbers take one or two bytes each.",
    "runs/RUN/predictions.parquet": "Task, split, id, gold label and prediction (`--no-predictions` for none); "
    "`probabilities` maps each class or option to its probability on test (empty for scores, tags and "
    "answers). Answers of `spans` are places such as `17:29`.",
    "runs/RUN/model/": "Encoder weights, if another run starts from them, with `--keep-models`, or by `train`.",
    "runs/RUN/progress.json": "Epoch, share of the epoch, examples per second and last dev scores, for `status`. It is "
    "replaced every two seconds while the run trains, and removed when the run ends.",
    "tune/checkpoints/": "The state of running trials. A killed trial resumes from it; it is removed when the trial "
    "ends. Only you can read it.",
    "runs/RUN/checkpoint/": "The state of a running run. A run that was killed or failed resumes from it; it is "
    "removed when the run is done or has diverged. Only you can read it.",
    "runs/RUN/replacement/": "All files of a finished run, while they replace those of an earlier training. After a "
    "kill, the next command that trains the run completes this. Only you can read it.",
    "runs/RUN/error.txt": "Why a run failed, and where.",
    "runs/RUN/result.json": "Scores, work, versions, and a SHA-256 checksum of each file of the run. Its own "
    "is computed with zeros in its place. It is written last: its presence means that the run is done.",
    "runs/external.npz": "The runs that `verdicts` read from your tables: counts per example, or the scores; no text.",
    "affinity.png, heatmap.png, forest.png": "Figures of `pairwise`, each as `.svg` too; `graph --figures` draws more.",
    "heatmap@NAME.png, forest@NAME.png": "The same figures on a further test set.",
    "affinity.graphml, affinity.txt": "The graph for other tools, and in words.",
    "groups.png, groups.svg": "The models that `group` chose, each with its tasks and the arrows between them.",
    "stages.png": "The slope chart of `full`.",
    "report.html": "The page of `report`. Above 2,000 arrows it leaves the table of the evidence to `edges.csv`.",
    "outdated.txt": "Files that an earlier study or earlier gains left, each with the command that makes it anew. No "
    "file: there are none.",
    "tracked.json": "What was logged to which experiment tracker.",
    "departures.txt": "Under `--protocol paper`: where a study departs from the released code, whom that concerns and "
    "how much it is.",
}


def results_page() -> str:
    """Every file of a results folder, and every column of every CSV file."""
    lines = ["# The results folder\n", "A run's folder has a name for people and a hash for certainty, such as"]
    lines += [
        "`refine-clinicalsts+mednli-s0-a1b1a321`. Delete it to train the run again. No file holds text of a corpus.\n"
    ]
    lines += [
        "Review counts of similarity tasks before you publish them: they contain gold scores. Do not publish `model/`:",
        "weights that were trained on notes under an agreement can hold parts of them. Only you can read `model/` and",
        "`predictions.parquet` (modes 0700 and 0600), unless you give `--share-with-group` (0750 and 0640).\n",
    ]
    lines += [
        "`study.json` holds the rule of the study: level, margin, correction, estimand and test. `graph --alpha 0.01`",
        "(or `--margin`, ...) writes the tables of gains, `affinity.*` and the figures that it draws by another rule,",
        "which the columns `alpha`, `margin` and `estimand` show, and leaves `study.json` as it is. `report`, `table",
        "edges`, `compare` and `ta.load` follow `study.json` unless they get the same options; `group` always uses",
        "the rule in `study.json`. To make all agree, repeat the command of the study with the options: finished runs",
        "are not trained again, and `outdated.txt` names the files to make anew. `graph` without options of the rule",
        "restores that of the study.\n",
        "A command writes only its own files again. When the tasks, scores, gains or rule of a study change, or when",
        "`--overwrite` replaces the study, files of other commands stay, such as `groups.csv` and `report.html`.",
        "So do chosen groups when the study trains a group of three or more tasks, or gets other estimates, and",
        "realised gains when `group` chooses other groups. `outdated.txt` names them, and `pairwise`, `full`, `train`,",
        "`estimate`, `verdicts`, `graph` and `group` print one line until they are made anew or deleted.\n",
    ]
    lines += ["| file | content |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(text)} |" for name, text in FILES.items()]
    lines += [f"| `{name}` | see below |" for name in COLUMNS]
    lines.append("")
    for name, columns in COLUMNS.items():
        own = columns
        if name == "test_sets.csv":
            own = {column: text for column, text in columns.items() if column not in COLUMNS["edges.csv"]}
        lines += [f"## {name}\n", *["The columns of `edges.csv`, and:\n"] * (own is not columns)]
        lines += ["| column | meaning |", "|---|---|"]
        lines += [f"| `{column}` | {_cell(text)} |" for column, text in own.items()]
        lines.append("")
    return NOTE + "\n".join(lines)


def departures_page() -> str:
    """Every departure of both protocols from the paper's released code."""
    lines = [
        "# Departures from the paper's released code\n",
        "`--protocol paper` follows the released code of the paper, with the departures below. `honest`, the default,",
        "departs on purpose. `taskaffinity table departures RESULTS` prints those of a study, and under `--protocol",
        "paper` they are in `departures.txt` in its results folder. [The paper and its protocol]"
        "(../explanation/paper-protocol.md)\ndescribes both protocols.\n",
        "Sizes are in points of test score. *Below 0.2 points* means that a departure touches fewer than 0.2% of what",
        "the metric counts, on the corpora that are named. *Not measured* means that we have no figure.\n",
    ]
    both = [one for one in DEPARTURES if len(one.protocols) == 2]
    of = {
        "Of both protocols": both,
        "Of `--protocol paper` only": [one for one in DEPARTURES if one.protocols == ("paper",)],
        "Of `--protocol honest` only": [one for one in DEPARTURES if one.protocols == ("honest",)],
    }
    for title, departures in of.items():
        lines += [f"## {title}\n", "| here | released code | concerns | size |", "|---|---|---|---|"]
        for one in departures:
            only = "" if len(one.baselines) > 1 else f", with `--baseline {one.baselines[0]}`"
            here, theirs = f"{one.ours}{only}", f"{one.theirs[0].upper()}{one.theirs[1:]}{one.setting}"
            lines.append("| " + " | ".join(map(_cell, (here, theirs, one.concerns, one.size))) + " |")
        lines.append("")
    return NOTE + "\n".join(lines)


def with_example_table(text: str) -> str:
    """The page with the table that ``taskaffinity graph`` prints of ``notebooks/example_results``."""
    with tempfile.TemporaryDirectory() as folder:
        results = shutil.copytree(ROOT / "notebooks/example_results", Path(folder) / "clinical")
        printed = CliRunner().invoke(app, ["graph", str(results), "--figures=heatmap", "--format=svg"]).stdout
    table = "\n".join(line.rstrip() for line in printed.splitlines()[:-1] if line.strip())  # the last names the files
    changed, n = _TABLE.subn(lambda _: f"```text\n{table}\n```", text)
    if n != 1:
        raise ValueError(f"{n} tables in the page")
    return changed


def modules_page() -> str:
    """Every module of the package with the first sentence of its docstring."""
    lines = [
        "# Modules\n",
        "[Architecture](../explanation/architecture.md) says how the subpackages build on each other.\n",
    ]
    for folder in (PACKAGE, *sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)):
        lines += [f"## {folder.relative_to(PACKAGE.parent)}\n", f"{_about(folder / '__init__.py')}\n"]
        modules = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
        if modules:
            lines += ["| module | what it is |", "|---|---|"]
            lines += [f"| `{path.name}` | {_cell(_about(path))} |" for path in modules]
            lines.append("")
    return NOTE + "\n".join(lines)


def _about(path: Path) -> str:
    """The first sentence of a module's docstring."""
    found = " ".join((ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").partition("\n\n")[0].split())
    return re.split(r"(?<=[.?])\s+(?=[A-Z])", found)[0].replace("``", "`")


PAGES = {
    "cli.md": cli_page,
    "recipe.md": recipe_page,
    "results-folder.md": results_page,
    "departures.md": departures_page,
    "modules.md": modules_page,
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in PAGES.items():
        (FOLDER / name).write_text(text(), encoding="utf-8")
    for name in SHOW_THE_TABLE:
        page = ROOT / name
        page.write_text(with_example_table(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
