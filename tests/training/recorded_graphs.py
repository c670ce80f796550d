"""An object that plays the graphs of a GPU on a CPU.

What is captured is a list of torch's operations on fixed tensors. Python decides once, and no value is read meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from dense_attention import attend_densely
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from taskaffinity.training import loop
from taskaffinity.training.optim.one_pass import OnePassStepper
from taskaffinity.training.packing import packed
from taskaffinity.training.updates import captured

Entry = tuple[Any, tuple[Any, ...], dict[str, Any], list[Tensor]]


class _Recorder(TorchDispatchMode):
    """Runs and records operations; keeps what tensors from outside were before the first operation changed them."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.before: dict[int, tuple[Tensor, Tensor]] = {}
        self._own: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.name().startswith(("aten::_local_scalar_dense", "aten::nonzero", "aten::equal")):
            raise RuntimeError("operation not permitted when stream is capturing")
        for given, argument in zip(args, func._schema.arguments, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                for tensor in tree_leaves(given):
                    self._keep(tensor)
        self._keep(kwargs.get("out"))
        found = func(*args, **kwargs)
        outputs = [one.detach() for one in tree_leaves(found) if isinstance(one, Tensor)]
        is_new = all(one.alias_info is None for one in func._schema.returns)
        self._own |= {one.untyped_storage().data_ptr() for one in outputs if is_new}
        is_view = not is_new and not any(one.alias_info and one.alias_info.is_write for one in func._schema.returns)
        if not is_view:  # a view shows what its tensor holds
            self.entries.append((func, args, kwargs, outputs if is_new else []))
        return found

    def _keep(self, tensor: Any) -> None:
        if isinstance(tensor, Tensor) and (place := tensor.untyped_storage().data_ptr()) not in self._own:
            whole = torch.empty(0, dtype=torch.uint8).set_(tensor.untyped_storage())
            self.before.setdefault(place, (whole, whole.clone()))


class RecordedGraphs:
    """In the place of ``CudaGraphs``."""

    def __init__(self) -> None:
        self.n_replays = self.n_recovered = 0

    @contextmanager
    def beside(self) -> Iterator[None]:
        yield

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        recorder = _Recorder()
        with torch.random.fork_rng([]), recorder:
            work()
        for tensor, value in recorder.before.values():
            tensor.copy_(value)

        @torch.no_grad()
        def replay() -> None:
            self.n_replays += 1
            for func, args, kwargs, outputs in recorder.entries:
                found = [one for one in tree_leaves(func(*args, **kwargs)) if isinstance(one, Tensor)]
                for output, again in zip(outputs, found, strict=True) if outputs else ():
                    output.copy_(again)

        return replay

    def recover(self) -> None:
        self.n_recovered += 1


class RunAgain(RecordedGraphs):
    """Runs the work itself again."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        return work


def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make buckets as small as mini-batches of tests, so that there are several; attend by bounds."""
    monkeypatch.setattr(captured, "TOKENS", 32)
    monkeypatch.setattr(captured, "READ", 16)
    monkeypatch.setattr(captured, "LEAST", 2)
    monkeypatch.setattr(packed, "attend", attend_densely)


def train_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have trainings take the steps and the optimizer of a GPU, on a CPU."""
    small_buckets(monkeypatch)
    monkeypatch.setattr(loop, "on_gpu", lambda model: True)
    monkeypatch.setattr(loop, "Stepper", OnePassStepper)
