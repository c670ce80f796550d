"""What every test shares: no network, no cache or data of the user's, and a two-task study that trains in seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch: two workers on two cores, a thread each

if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):  # or each of many processes compiles every module anew
    sys.dont_write_bytecode = False

import pytest
from hypothesis import settings

from taskaffinity.runs.recipe import FINETUNE_FROM_SCRATCH, FROM_SCRATCH, finetune_after
from taskaffinity.runs.store import RunStore
from taskaffinity.runs.study import Design, EvaluateAfter, InitFrom, StudiedTask, Study

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub
settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def _of_this_session_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty cache, and no data but what a test gives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TASKAFFINITY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("TASKAFFINITY_DATA", raising=False)
        patch.delenv("RAY_ADDRESS", raising=False)
        yield


@pytest.fixture(scope="module")
def no_figures() -> Iterator[None]:
    """From the first test of a module that asks for it to the module's last test, commands draw nothing.

    Drawing takes most of the time of a small study; ``pytestmark = pytest.mark.usefixtures("no_figures")``.
    """
    with pytest.MonkeyPatch.context() as patch:
        _draw_nothing(patch)
        yield


@pytest.fixture
def no_figures_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``no_figures``, for one test."""
    _draw_nothing(monkeypatch)


def _draw_nothing(patch: pytest.MonkeyPatch) -> None:
    for name in ("save_figures", "save_stage_figures"):
        patch.setattr(f"taskaffinity.analysis.publish.{name}", lambda *_: None)


@dataclass(frozen=True)
class TinyStudy:
    """A study, and what ``schedule.run`` wants beside its plan."""

    study: Study
    encoder_folder: Path
    cache: Path

    def train(self, root: Path, **options: Any) -> Any:
        """``schedule.run`` into ``root``; its report."""
        from taskaffinity.schedule.run import run

        self.study.write(root)
        places = {"encoder_folder": self.encoder_folder, "cache": self.cache}
        return run(self.study.plan, RunStore(root), **places, **options)

    def edges(self, root: Path) -> bytes:
        """Publish ``root``, and the bytes of its ``edges.csv``."""
        from taskaffinity.analysis.publish import publish

        publish(self.study, RunStore(root), root)
        return (root / "edges.csv").read_bytes()


def make_tiny_study(
    cache: Path,
    tasks: tuple[str, ...] = ("clinicalsts", "mednli"),
    seeds: tuple[int, ...] = (0, 1),
    design: Design = "pairwise",
    evaluate_after: EvaluateAfter = "joint",
    init_from: InitFrom = "encoder",
    **settings: Any,
) -> TinyStudy:
    """Some planted tasks, 64 examples each, one epoch unless said otherwise; a run takes a fraction of a second."""
    from taskaffinity.tasks.planted import CLINICAL, VOCABULARY
    from taskaffinity.training.encoders.load import tiny_encoder
    from taskaffinity.training.execute import prepare

    small = {"num_train_epochs": 1, "max_train_examples": 64, "max_eval_examples": 50, **settings}
    recipe = replace(FROM_SCRATCH, **small)
    encoder = tiny_encoder(VOCABULARY, cache, layers=1, width=16)
    chosen = [CLINICAL[name] for name in tasks]
    prepare(chosen, encoder, recipe, cache)
    sizes = {"train": 1000, "dev": 300, "test": 1000}
    cards = tuple(StudiedTask(t.name, t.title, t.kind, t.metric_name, t.fingerprint, sizes) for t in chosen)
    short = finetune_after(recipe, replace(FINETUNE_FROM_SCRATCH, num_train_epochs=1))
    finetune = dict.fromkeys(tasks, short) if design == "full" or evaluate_after == "finetune" else {}
    asked: dict[str, Any] = {
        "design": design,
        "evaluate_after": evaluate_after,
        "init_from": init_from,
        "finetune": finetune,
    }
    study = Study(CLINICAL.name, cards, encoder.ref, recipe, seeds, synthetic=True, **asked)
    return TinyStudy(study, encoder.folder, cache)


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., TinyStudy]:
    """``make_tiny_study`` with one cache for the session."""
    cache = tmp_path_factory.mktemp("tiny_cache")
    return lambda **settings: make_tiny_study(cache, **settings)
