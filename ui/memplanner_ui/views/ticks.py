"""Round numbers for the axes: sizes in whole GiB, MiB or KiB."""

from __future__ import annotations

from math import ceil, log10

from memplanner.units import GIB, KIB, MIB

_NICE = (1, 2, 5, 10)


def unit_of(largest: float) -> tuple[int, str]:
    """The unit an axis up to ``largest`` bytes is labelled in, with its name."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if largest >= 2 * unit:
            return unit, name
    return 1, "B"


def step_of(span: float, count: int) -> float:
    """The round step (1, 2, 5 × 10ⁿ) that cuts ``span`` into at most ``count`` pieces."""
    rough = max(span / max(1, count), 1e-12)
    power = 10.0 ** ceil(log10(rough) - 1)
    return next(nice * power for nice in _NICE if nice * power >= rough * (1 - 1e-9))


def sizes(
    largest: float, count: int, smallest: float = 0.0, unit: int | None = None
) -> list[tuple[float, str]]:
    """At most about ``count`` ticks from ``smallest`` to ``largest`` bytes, with their labels."""
    factor = unit_of(largest)[0] if unit is None else unit
    step = step_of((largest - smallest) / factor, count)
    digits = 0 if step >= 1 else max(0, ceil(-log10(step)))
    first, last = ceil(smallest / factor / step - 1e-9), int(largest / factor / step + 1e-9)
    return [(n * step * factor, f"{n * step:.{digits}f}") for n in range(first, last + 1)]
