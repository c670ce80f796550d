"""CUDA graphs: work on a GPU that is launched at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch


class Graphs(Protocol):
    """What captures work on a device."""

    def beside(self) -> AbstractContextManager[None]:
        """A block whose work is done where work is captured."""

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """What does this work again, on the same memory; the work itself is not done."""

    def recover(self) -> None:
        """Repair what a capture that failed left; what was captured before it is of no use afterwards."""


class CudaGraphs:
    """CUDA graphs that share one pool of memory, because one runs after the other."""

    def __init__(self) -> None:
        self._stream, self._pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()

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
        # the stream is set twice: torch's own block does not set it back if a capture fails
        with torch.cuda.stream(self._stream), torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            work()
        return graph.replay

    def recover(self) -> None:
        """Give torch's generator a new state; before torch 2.13, a failure leaves the old one as if in a capture."""
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        fresh = torch.Generator(device="cuda")
        fresh.set_state(generator.get_state())
        generator.graphsafe_set_state(fresh.graphsafe_get_state())
