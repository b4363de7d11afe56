"""Contrast and colour distance, from their published definitions, to hold the palette to.

WCAG 2.2 relative luminance and contrast ratio; OKLab (Ottosson 2020); dichromacy matrices of
Machado, Oliveira and Fernandes (2009) at severity 1.0, which act on linear RGB.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Color = npt.NDArray[np.float64]

MACHADO = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def linear(name: str) -> Color:
    """Linear RGB of ``#RRGGBB``."""
    values = np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    """The WCAG contrast ratio of two colours."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    low, high = sorted(float(weights @ linear(color)) for color in (a, b))
    return (high + 0.05) / (low + 0.05)


def distance(a: str, b: str, sight: str) -> float:
    """The distance of two colours in OKLab, times 100, as someone with ``sight`` sees them."""

    def lab(name: str) -> Color:
        seen = np.clip(MACHADO[sight] @ linear(name), 0, 1)
        return _TO_LAB @ np.cbrt(_TO_LMS @ seen)

    return 100 * float(np.linalg.norm(lab(a) - lab(b)))
