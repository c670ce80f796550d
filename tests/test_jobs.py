"""Every job is a script that a shell can read, says what it makes, and plans its runs with the real command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private import util

from taskaffinity.runs.paper_protocol import departures_of
from taskaffinity.runs.recipe import PAPER_REFINE, REFINE
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.runs.study import Protocol, StudiedTask, Study
from taskaffinity.tasks import planted
from taskaffinity.tasks.blue import BLUE_TASKS
from taskaffinity.tasks.formats import TaskCard, write_task
from taskaffinity.tasks.rows import Row
from taskaffinity.tasks.task import SPLITS, Example

FOLDER = Path(__file__).parents[1] / "jobs"
JOBS = sorted(FOLDER.glob("*.sh"))
BATCHES = sorted(FOLDER.glob("*.sbatch"))
PLANS = {
    "table2_clinical.sh": "27 runs",
    "table3_biomedical.sh": "27 runs",
    "table4_clinical_encoders.sh": "27 runs",
    "table5_biomedical_encoders.sh": "27 runs",
    "table6_blue.sh": "51 runs",
}
"""Three seeds of N single-task runs, the set, and N tasks after it."""


@pytest.mark.parametrize("job", [*JOBS, *BATCHES], ids=lambda job: job.name)
def test_a_job_is_shell_and_says_what_it_makes(job: Path) -> None:
    subprocess.run(["bash", "-n", job], check=True)
    text = job.read_text()
    assert os.access(job, os.X_OK) == (job.suffix == ".sh")
    assert [word for word in ("# Makes  ", "# Needs  ", "# Usage  ") if word not in text] == []
    assert "python" not in text  # the command line's own words alone


def renamed(example: Example, called: dict[Any, str]) -> Example:
    """With the classes, or the types of its tags, called otherwise."""
    if isinstance(example.label, tuple):
        tags = (tag.partition("-") for tag in example.label)
        return replace(example, label=tuple(mark + dash + called.get(kind, kind) for mark, dash, kind in tags))
    return replace(example, label=called.get(example.label, example.label))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Task folders with the paper's names and labels, filled from the synthetic suites."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("clinical", "biomedical"):
        for task in planted.stand_in(name):
            listed = BLUE_TASKS[task.name]
            card = TaskCard(kind=listed.kind, labels=listed.labels, negative=listed.negative)
            called = dict(zip(task.labels, cycle(listed.labels), strict=False)) if listed.labels else {}
            rows = {split: [Row(renamed(e, called)) for e in task.examples[split][:20]] for split in SPLITS}
            write_task(folder / task.name, card, rows)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n[:6] in ("table5", "table6") else pytest.mark.long) for n in PLANS]
)
def test_a_table_plans_its_runs(name: str, data: Path, tmp_path: Path) -> None:
    [job] = [job for job in JOBS if job.name == name]
    from taskaffinity.tasks.planted import VOCABULARY
    from taskaffinity.training.encoders.load import tiny_encoder

    encoder = tiny_encoder(VOCABULARY, tmp_path, layers=1, width=16).folder
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = [] if "encoders" in name else ["--encoder", encoder]
    done = subprocess.run(
        [job, "--dry-run", *given],
        env={**os.environ, "TASKAFFINITY_DATA": str(data), "ENCODERS": str(encoder), "PATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert any(line.startswith(PLANS[name]) for line in done.stdout.splitlines())
    assert "forecast: " in done.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        *(pytest.param(name, "honest", marks=pytest.mark.slow) for name in PLANS),
        ("table4_clinical_encoders.sh", "paper"),
    ],
)
def test_a_table_says_its_protocol_and_prints_the_departures(name: str, protocol: Protocol, tmp_path: Path) -> None:
    """The folder holds a study already, and a substitute for ``full`` skips the training."""
    [job] = [job for job in JOBS if job.name == name]
    assert "--protocol honest, the default" in job.read_text()
    [folder] = set(re.findall(r"--results (results/[\w-]+)", job.read_text()))
    card = StudiedTask("nli", "NLI", "inference", "accuracy", "f" * 16, {"train": 5, "dev": 2, "test": 2})
    recipe = PAPER_REFINE if protocol == "paper" else REFINE
    study = Study(
        "mine",
        (card,),
        EncoderRef("bert", "e" * 16),
        recipe,
        (0,),
        finetune={"nli": recipe},
        design="full",
        protocol=protocol,
    )
    study.write(tmp_path / folder)
    command = tmp_path / "taskaffinity"
    command.write_text(f'#!/bin/sh\n[ "$1" = full ] || exec {sys.executable} -m taskaffinity "$@"\n')
    command.chmod(0o755)
    done = subprocess.run(
        [job],
        env={**os.environ, "TASKAFFINITY_DATA": "data", "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    title, *lines = done.stdout.splitlines()
    assert title.startswith(f"--protocol {protocol}: {len(lines)} departures")
    assert lines == [f"* {one}" for one in departures_of(study)]


def run_pretended(job: str, command: str, folder: Path, *options: str) -> tuple[int, list[str]]:
    """Run a job whose commands only say what they are asked for, and then do ``command``; return code and lines."""
    (folder / "taskaffinity").write_text(f'#!/bin/sh\necho "$@"\n{command}\n')
    (folder / "taskaffinity").chmod(0o755)
    done = subprocess.run(
        [FOLDER / job, *options],
        env={**os.environ, "TASKAFFINITY_DATA": "data", "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize(("code", "n_studies", "n_tables"), [(0, 2, 2), (1, 2, 2), (2, 1, 0), (130, 1, 0), (143, 1, 0)])
def test_figure_2_goes_on_after_failed_runs_and_ends_if_refused_or_interrupted(
    code: int, n_studies: int, n_tables: int, tmp_path: Path
) -> None:
    ended, lines = run_pretended("figure2_pairwise.sh", f'[ "$1" = table ] || exit {code}', tmp_path)
    assert ended == code
    assert [sum(line.startswith(name) for line in lines) for name in ("pairwise", "table")] == [n_studies, n_tables]


@pytest.mark.parametrize("given", [["--results", "other"], ["--results=other"]])
@pytest.mark.parametrize("job", [*PLANS, "figure2_pairwise.sh"])
def test_another_results_folder_is_refused_because_the_table_would_read_the_usual_one(
    job: str, given: list[str], tmp_path: Path
) -> None:
    assert run_pretended(job, "", tmp_path, *given) == (2, [])
    assert run_pretended(job, "", tmp_path, "--seeds", "1")[0] == 0


def test_the_encoder_of_pre_training_is_found_from_any_folder(tmp_path: Path) -> None:
    _, lines = run_pretended("readme_pretrain.sh", "", tmp_path, "encoder")
    assert [f"--encoder {tmp_path}/encoder " in lines[0], f"--encoders {tmp_path}/encoder,further " in lines[1]] == [
        True
    ] * 2


@pytest.mark.slow
def test_the_job_array_is_a_study_in_this_process(tmp_path: Path) -> None:
    """What SLURM would run, run here, but for the GPU: two tasks of the array at once."""
    small = ["--set=num_train_epochs=1", "--set=max_train_examples=32", "--set=max_eval_examples=32", "--seeds=1"]
    array = (FOLDER / "slurm_array.sbatch").read_text().replace("--gpus-per-run 1", "--gpus-per-run 0")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    tasks = [
        subprocess.Popen(
            ["bash", "-c", array, "slurm_array", "--domain=clinical", *small],
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ends = [task.communicate(timeout=180) for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], ends
    assert ends[0][0] == ends[1][0]
    assert len(list(tmp_path.glob("results/clinical/runs/*/result.json"))) == 4 * 2 + 6


def test_ray_on_slurm_has_the_cores_that_were_asked_for(tmp_path: Path) -> None:
    """Of SLURM 22.05 and later, whose ``srun`` asks its own variable alone; both commands are pretended."""
    for name, said in (("scontrol", "echo first; echo second"), ("srun", 'echo "$SRUN_CPUS_PER_TASK"; echo "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{said}\n")
        (tmp_path / name).chmod(0o755)
    allocated = {"SLURM_JOB_NODELIST": "n[1-2]", "SLURM_NNODES": "2", "SLURM_CPUS_PER_TASK": "16"}
    done = subprocess.run(
        ["bash", FOLDER / "slurm.sbatch", "--domain", "clinical"],
        env={**os.environ, **allocated, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    cores, command = done.stdout.splitlines()
    assert cores == "16"
    assert "--address first:6379 --min-nodes 2 -- taskaffinity pairwise --address auto --domain clinical" in command


def test_ray_takes_the_cluster() -> None:
    config = util.prepare_config(yaml.safe_load((FOLDER / "ray-cluster.yaml").read_text()))
    util.validate_config(config)
    assert config["max_workers"] == len(config["provider"]["worker_ips"]) == 2


def test_the_kubernetes_job_mounts_what_it_names() -> None:
    """Its schema is not at hand: the keys that KubeRay 1.4 documents, and that paths lie on the volume."""
    job = yaml.safe_load((FOLDER / "kuberay-rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    known = {"entrypoint", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit", "runtimeEnvYAML"}
    assert job["spec"].keys() == known | {"rayClusterSpec"}
    cluster = job["spec"]["rayClusterSpec"]
    pods = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for pod in pods:
        spec = pod["template"]["spec"]
        [mount], [volume] = spec["containers"][0]["volumeMounts"], spec["volumes"]
        assert mount["name"] == volume["name"]
        assert mount["mountPath"] == "/shared"
    words = job["spec"]["entrypoint"].split()
    paths = [word for word in words if word.startswith("/")] + list(
        filter(lambda v: v.startswith("/"), yaml.safe_load(job["spec"]["runtimeEnvYAML"])["env_vars"].values())
    )
    assert len(paths) == 4
    assert all(path.startswith("/shared/") for path in paths)


@pytest.mark.parametrize("name", ["slurm.sbatch", "slurm_array.sbatch", "kuberay-rayjob.yaml", "ray-cluster.yaml"])
def test_the_options_of_a_cluster_file_are_the_commands_own(name: str) -> None:
    text = (FOLDER / name).read_text()
    commands = re.findall(r"taskaffinity pairwise[^'\n]*(?:\n[# ]+--.*)*", text)
    used = set(re.findall(r"(?<= )--[a-z-]+", " ".join(commands)))
    helped = subprocess.run(
        [sys.executable, "-m", "taskaffinity", "pairwise", "--help"],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert used
    assert [option for option in used if option not in helped] == []
