"""Capture work on a GPU as CUDA graphs, which are launched at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from typing import Any, Protocol

import torch


class Graphs(Protocol):
    """Interface: captures work on a device."""

    n_recovered: int
    """How often ``recover`` was called."""

    def beside(self) -> AbstractContextManager[None]:
        """Return a block whose work is done on the stream of captured work."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return a function that does this work on the same memory; capturing does not do it."""

    def recover(self) -> None:
        """Repair the state after a failed capture; earlier captures can no longer be used."""


class CudaGraphs:
    """CUDA graphs with one pool of memory, because they run one after the other."""

    def __init__(self) -> None:
        self._stream, self._pool = _stream(torch.cuda.current_device()), torch.cuda.graph_pool_handle()
        self.n_recovered = 0

    @contextmanager
    def beside(self) -> Iterator[None]:
        self._stream.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:
            torch.cuda.current_stream().wait_stream(self._stream)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        try:
            # the stream is set twice, because torch's own block does not reset it if a capture fails
            with torch.cuda.stream(self._stream), torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                work()
        except BaseException:
            _end_allocation(self._pool)
            raise
        return graph.replay

    def recover(self) -> None:
        """Take another pool, and give torch's generator a new state.

        torch's allocator of pinned memory does not leave the pool of a failed capture, so no other capture may use it.
        Before torch 2.13, a failed capture leaves the old state in capture mode.
        """
        self.n_recovered += 1
        self._pool = torch.cuda.graph_pool_handle()
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        fresh = torch.Generator(device="cuda")
        fresh.set_state(generator.get_state())
        generator.graphsafe_set_state(fresh.graphsafe_get_state())


@cache
def _stream(device: int) -> Any:
    """Return the stream of all captures of this process.

    torch keeps memory for cuBLAS, 32 MiB a thread on an H100, for each stream that ever multiplied. A process that
    trains one run after the other would keep it for each run.
    """
    return torch.cuda.Stream(device)


def _end_allocation(pool: Any) -> None:
    """Let torch's allocator leave a capture that failed.

    torch does so only if CUDA ends the capture without an error. Otherwise ``empty_cache`` would raise in this process
    from then on, and so would the next capture and the next run.
    """
    device = torch.cuda.current_device()
    with suppress(RuntimeError):  # the capture did not begin, or it is already left
        torch._C._cuda_endAllocateToPool(device, pool)
        torch._C._cuda_releasePool(device, pool)
