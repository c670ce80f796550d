"""Compile a pointwise update to one GPU kernel, if its results are right.

Compiled code is stored in the user's own cache. By default, torch would use a folder in ``/tmp`` with a known name,
where another user could place other code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from taskaffinity.private import check_private, private_folder
from taskaffinity.runs.files import cache_folder

_N = 1000
_TOLERANCE = 1e-5
"""Absolute and relative tolerance of values and moments after one update. A compiler may fuse a product and a sum."""


def compiled(update: Callable[..., None], device: torch.device) -> Callable[..., None]:
    """Return the update, compiled if the device is a GPU and compiling works.

    The results are the same.
    """
    return _compiled_and_tried(update) if device.type == "cuda" else update


@cache
def _compiled_and_tried(update: Callable[..., None]) -> Callable[..., None]:
    """Return the compiled update, or the update itself if the compiled one fails or differs.

    In the second case, a line is written to stderr.
    """
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        folder = cache_folder() / "compiled"
        check_private(folder)
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(private_folder(folder))  # Triton also stores below this folder
    if "TORCHINDUCTOR_COMPILE_THREADS" not in os.environ:
        from torch._inductor import config

        config.compile_threads = 1  # by default each run would start a process per core, for two kernels
    try:
        fast = torch.compile(update, dynamic=True, fullgraph=True)
        if is_equal(update, fast, "cuda"):
            return fast
        reason = "its results differ"
    except Exception as error:  # compilers raise many types
        reason = type(error).__name__
    print(f"optimizer: the update is not compiled on this GPU ({reason}); steps are slower", file=sys.stderr)
    return update


@torch.no_grad()
def is_equal(update: Callable[..., None], fast: Callable[..., None], device: str) -> bool:
    """Return whether two updates give equal values and moments, for fp32 and bf16 gradients."""
    generator = torch.Generator().manual_seed(0)
    p, g, m, u = (torch.randn(_N, generator=generator).to(device) for _ in range(4))
    rates, share = (torch.tensor(given).to(device) for given in ([0.01, 0.1, 1.5], 0.5))
    for dtype in (torch.float32, torch.bfloat16):
        both: list[list[Tensor]] = []
        for one in (update, fast):
            p1, m1, u1 = p.clone(), m.clone(), u.abs()
            one(p1, g.to(dtype), m1, u1, rates, share)
            both.append([p1, m1, u1])
        if not all(torch.allclose(a, b, atol=_TOLERANCE, rtol=_TOLERANCE) for a, b in zip(*both, strict=True)):
            return False
    return True
