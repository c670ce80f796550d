"""Capture work on a GPU as CUDA graphs, which are launched at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from typing import Any, ClassVar, Protocol

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

    _kept: ClassVar[Any] = None
    """A pool of this process that torch never frees."""

    def __init__(self) -> None:
        self._stream = _stream(torch.cuda.current_device())
        self._pool = CudaGraphs._kept or torch.cuda.graph_pool_handle()
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
        graph, has_begun = torch.cuda.CUDAGraph(), False
        try:
            # the stream is set twice, because torch's own block does not reset it if a capture fails
            with torch.cuda.stream(self._stream), torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
                has_begun = True
                work()
        except BaseException:
            self._leave(graph, has_begun=has_begun)
            raise
        return graph.replay

    def _leave(self, graph: Any, *, has_begun: bool) -> None:
        """Let torch's allocator leave a capture that failed.

        If CUDA could not end it, versions of torch differ. Some stay in the capture: in this process, ``empty_cache``
        would raise from then on, and with it the next capture and the next run. Others leave the capture and never free
        its memory, so all later captures of the process use this memory.
        """
        if not has_begun:  # perhaps because of the pool
            CudaGraphs._kept = None
        with suppress(RuntimeError):
            graph.pool()  # raises if CUDA did not end the capture
            return
        device = torch.cuda.current_device()
        try:
            torch._C._cuda_endAllocateToPool(device, self._pool)
        except RuntimeError:  # torch has left it
            if has_begun:
                CudaGraphs._kept = self._pool
        else:
            torch._C._cuda_releasePool(device, self._pool)

    def recover(self) -> None:
        """Take another pool, if torch can free this one, and give torch's generator a new state.

        Before torch 2.13, a failed capture leaves the generator's old state in capture mode.
        """
        self.n_recovered += 1
        if self._pool != CudaGraphs._kept:
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
