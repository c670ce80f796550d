"""What does training cost on an NVIDIA GPU? Is it right, how near the peak, and beside the Hugging Face Trainer?

    python tests/benchmarks/gpu.py --out FOLDER [--minutes 9]      on a machine with a GPU and the project installed
    python tests/benchmarks/gpu.py gather FOLDER [--python 3.12]   FOLDER to carry to a GPU machine without a network
    python tests/benchmarks/gpu.py --device cpu --quick --out FOLDER    the same stages, small, without a GPU

Needs no corpus and no network: it invents corpora of the lengths and sizes of the paper's eight tasks, and a BERT of
base size with random weights. Stages run one after the other in a process of their own, each with a deadline; if one
crashes or hangs, the next begins in a new process. ``gpu.json`` and ``gpu.csv`` in FOLDER have a row a measurement,
written after each, so that a run that is stopped keeps what it had. The exit code is 1 if a stage or a check failed.

Stages: ``ceilings`` (matrix products, a copy), ``correctness`` (loss and gradients beside a plain padded loop in fp32;
attention beside fp64; the same bits twice), ``one run`` (each task, and the mix of two), ``trainer``, ``several runs``
(processes at the same time, without and with MPS), ``evaluation``. Shares count real tokens alone, of the peak that
``ceilings`` measured in this precision.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from gpu_gather import gather
from gpu_neighbours import exit_with_parent, goals, several_runs, stop_service
from gpu_report import Report, Row

DEADLINES = {"ceilings": 40, "correctness": 100, "one run": 120, "trainer": 70, "several runs": 180, "evaluation": 40}
"""By stage, in order: the seconds after which it begins no further measurement."""
START, GRACE, CLOSING = 150, 20, 5
"""Seconds until a process must have begun its first stage, from a deadline until its process is ended, and at the end
for what is left."""

CUT, NO_TIME = "cut off at its deadline", "no time was left"
ENDED_WELL = ("done", CUT, NO_TIME)
"""How a stage ends whose process can go on."""


@dataclass(frozen=True)
class Task:
    """What a process has to do."""

    stages: list[str]
    device: str
    is_small: bool
    work: Path
    ends: float
    """When all is over, in seconds since the epoch."""
    rows: list[Row] = field(default_factory=list)
    """Of earlier stages."""

    def left(self, stage: str) -> float:
        """Seconds that a stage has, from now. Its process can still be ended when all is over."""
        return max(0.0, min(DEADLINES[stage], self.ends - GRACE - time.time()))


def work_on(task: Task, connection: Connection) -> None:
    """Run stages in this process, and tell the other side of each begin, row and end; a failure is the last."""
    exit_with_parent()
    import torch
    import transformers
    from gpu_inputs import made_inputs
    from gpu_machine import facts

    transformers.logging.set_verbosity_error()  # heads of the Trainer's model are new, which it would tell each time
    if task.device == "cpu":
        torch.set_num_threads(1)
    connection.send(("machine", facts(task.device)))
    inputs = made_inputs(task.work, is_small=task.is_small)
    for stage in task.stages:
        if not task.left(stage):
            connection.send(("end", NO_TIME))
            continue
        until = time.monotonic() + task.left(stage)
        connection.send(("begin", stage))
        outcome = "done"
        try:
            for line in rows_of(stage, task, inputs):
                task.rows.append(line)
                connection.send(("row", line))
                if time.monotonic() > until:
                    outcome = CUT
                    break
        except Exception as error:
            traceback.print_exc()
            connection.send(("end", f"failed: {type(error).__name__}: {str(error)[:300]}"))
            return  # an error of CUDA stays with its process
        connection.send(("end", outcome))


def rows_of(stage: str, task: Task, inputs: Any) -> Iterator[Row]:
    """The measurements of a stage."""
    from gpu_ceilings import ceilings
    from gpu_checks import correctness
    from gpu_evaluation import evaluation
    from gpu_step import one_run, trainer

    device, is_small = task.device, task.is_small
    if stage == "ceilings":
        return ceilings(inputs, device, is_small=is_small)
    if stage == "correctness":
        return correctness(inputs, device)
    if stage == "one run":
        return one_run(inputs, device, task.rows, is_small=is_small)
    if stage == "trainer":
        return trainer(inputs, device, task.rows, task.work, is_small=is_small)
    if stage == "several runs":
        return several_runs(task.work, device, task.rows, is_small=is_small)
    return evaluation(inputs, device, is_small=is_small)


def supervise(task: Task, report: Report) -> list[str]:
    """Have a process work on stages, and write down what it tells; the stages that are left when it has ended."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work_on, args=(task, there))
    process.start()
    there.close()
    left, stage, began = list(task.stages), "", time.monotonic()
    until = began + min(START, max(0.0, task.ends - time.time()))
    outcome = "done"
    try:
        while (left or stage) and outcome in ENDED_WELL:
            word, content = heard(here, process, until)
            if word == "machine":
                report.machine |= content
            elif word == "begin":
                stage, began = left.pop(0), time.monotonic()
                until = began + task.left(stage) + GRACE
            elif word == "row":
                report.rows.append(content)
                print(*(value for value in content.values() if value is not None), flush=True)
            else:
                stage, outcome = stage or left.pop(0), content  # it may not even have begun
                report.stages.append({"stage": stage, "outcome": outcome, "seconds": time.monotonic() - began})
                print(f"-- {stage}: {outcome} ({time.monotonic() - began:.1f} s)", flush=True)
                stage = ""
            report.write()
    finally:
        process.kill()
        process.join()
        stop_service(task.work)
    return left


def heard(connection: Connection, process: Any, until: float) -> tuple[str, Any]:
    """What a process tells next; an ``end`` if it is dead, or silent until then."""
    if not connection.poll(max(0.0, until - time.monotonic())):
        return "end", "ended: it did not stop at its deadline"
    try:
        word, content = connection.recv()
    except (EOFError, OSError):
        process.join()
        return "end", f"failed: its process ended with code {process.exitcode}"
    return word, content


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--quick", action="store_true", help="a tiny encoder and few steps")
    parser.add_argument("--stages", nargs="+", choices=list(DEADLINES), default=list(DEADLINES))
    parser.add_argument("--minutes", type=float, default=9.0, help="for all stages together; default: %(default)s")
    parser.add_argument("--out", type=Path, required=True, help="folder of gpu.json and gpu.csv")
    asked = parser.parse_args()
    if asked.device == "cuda":
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # the Trainer would take all GPUs of several
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    report = Report(asked.out)
    left, ends = asked.stages, time.time() + 60 * asked.minutes - CLOSING
    with tempfile.TemporaryDirectory() as work:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(work) / "inductor")  # torch makes a folder, used or not
        while left and time.time() < ends - GRACE:
            left = supervise(Task(left, asked.device, asked.quick, Path(work), ends, list(report.rows)), report)
    report.stages += [{"stage": stage, "outcome": NO_TIME, "seconds": 0.0} for stage in left]
    if asked.device == "cuda" and not asked.quick:
        report.rows += goals(report.rows)  # also of a stage that was cut off
    report.write()
    print("\n".join(report.failed) or "every stage is done and every check passed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(gather(sys.argv[2:]) if sys.argv[1:2] == ["gather"] else main())
