"""A picture as other eyes see it: in greyscale, and with deuteranopia (Machado and others 2009, severity 1).

Run:  python tests/benchmarks/seen.py PICTURE.png ...      writes PICTURE-grey.png and PICTURE-deutan.png beside each
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.image import imread, imsave

Pixels = npt.NDArray[np.float64]

DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
"""On linear RGB, ``(3, 3)``: seen = matrix @ shown."""

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Of linear RGB (Rec. 709)."""


def deuteranopia(shown: Pixels) -> Pixels:
    """sRGB in [0, 1], ``(..., 3)``, as seen without the middle cones."""
    return _encoded(_linear(shown) @ DEUTERANOPIA.T)


def greyscale(shown: Pixels) -> Pixels:
    """sRGB in [0, 1], ``(..., 3)``, as a printer without colour has it."""
    return np.repeat(_encoded(_linear(shown) @ LUMINANCE)[..., None], 3, axis=-1)


def _linear(shown: Pixels) -> Pixels:
    return np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)


def _encoded(light: Pixels) -> Pixels:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        picture = np.asarray(imread(path), dtype=np.float64)[..., :3]
        for word, seen in (("grey", greyscale(picture)), ("deutan", deuteranopia(picture))):
            imsave(path.with_name(f"{path.stem}-{word}.png"), seen)
