"""Steps on tensors of a GPU that have no values (``FakeTensorMode`` on "cuda").

A build of torch without CUDA refuses to slice and to differentiate such tensors, so the tests run in a process with a
small library that pretends a device. They raise where a value comes to the host or decides a shape.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="this torch has a GPU; tests/training/test_gpu.py uses it")
@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
def test_a_step_on_a_gpu_never_waits_for_a_value(tmp_path: Path) -> None:
    library, torch_folder = tmp_path / "pretended_cuda.so", Path(torch.__file__).parent
    flags = ["-std=c++20", "-shared", "-fPIC", f"-I{torch_folder / 'include'}", f"-L{torch_folder / 'lib'}"]
    linked = ["-lc10", "-ltorch_cpu", f"-Wl,-rpath,{torch_folder / 'lib'}"]
    subprocess.run(["g++", *flags, str(HERE / "pretended_cuda.cpp"), *linked, "-o", str(library)], check=True)
    words = ["-o", "addopts=", "-q", "-n0", "-p", "no:cacheprovider", str(HERE / "steps_on_fake_cuda.py")]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert "11 passed" in ended.stdout
