"""Bytes and counts as people read them: the one formatter of the project.

Rules (``docs/look.md``): GiB with one decimal, MiB without decimals below 1 GiB, KiB and bytes
only where less than 1 MiB is shown, an en dash for nothing, a true minus for differences.
"""

from __future__ import annotations

import re

KIB = 1024
MIB = 1024**2
GIB = 1024**3

NOTHING = "–"
MINUS = "−"
THIN_SPACE = "\u2009"

_FACTORS = {
    "": 1,
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KIB": KIB,
    "MIB": MIB,
    "GIB": GIB,
    "TIB": 1024**4,
}
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


def format_bytes(size_bytes: int) -> str:
    """``size_bytes`` as text, such as ``75.3 GiB``, ``416 MiB``, ``12 KiB`` or ``–`` for zero.

    >>> format_bytes(80_832_000_000), format_bytes(416 * MIB), format_bytes(0)
    ('75.3 GiB', '416 MiB', '–')
    """
    if size_bytes == 0:
        return NOTHING
    if size_bytes < 0:
        return MINUS + format_bytes(-size_bytes)
    if size_bytes >= GIB - MIB // 2:  # what would round to 1024 MiB is 1.0 GiB
        return f"{size_bytes / GIB:.1f} GiB"
    if size_bytes >= MIB - KIB // 2:
        return f"{size_bytes / MIB:.0f} MiB"
    if size_bytes >= KIB:
        return f"{size_bytes / KIB:.0f} KiB"
    return f"{size_bytes} B"


def format_difference(after_bytes: int, before_bytes: int) -> str:
    """The signed difference of two sizes, such as ``+1.2 GiB`` or ``−208 MiB``.

    From 1 GiB on it is taken from the two numbers as shown, so that a reader's own arithmetic
    on what the screen says agrees with it.

    >>> format_difference(3 * GIB, 2 * GIB), format_difference(0, 208 * MIB)
    ('+1.0 GiB', '−208 MiB')
    """
    difference = after_bytes - before_bytes
    if abs(difference) >= GIB - MIB // 2:  # what format_bytes shows in GiB
        shown = round(after_bytes / GIB, 1) - round(before_bytes / GIB, 1)
        return f"{MINUS if shown < 0 else '+'}{abs(shown):.1f} GiB"
    if difference == 0:
        return NOTHING
    return (MINUS if difference < 0 else "+") + format_bytes(abs(difference))


def format_count(count: int) -> str:
    """``count`` with thin spaces between thousands: ``32 768``.

    >>> format_count(32768).split(THIN_SPACE)
    ['32', '768']
    """
    return f"{count:,}".replace(",", THIN_SPACE)


def format_duration(seconds: float) -> str:
    """A time in two or three figures: ``810 ms``, ``5.3 s``, ``2 min 5 s``, ``1 h 4 min``.

    Raises ``ValueError`` for a negative one.

    >>> format_duration(0.81), format_duration(125)
    ('810 ms', '2 min 5 s')
    """
    if seconds < 0:
        raise ValueError(f"a time is not negative, as {seconds} is")
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.995:
        return f"{float(f'{seconds * 1000:.2g}'):.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours} h {rest} min"


def format_parameters(count: int) -> str:
    """A parameter count in three figures: ``8.03 B``, ``135 M``, ``512 K``.

    >>> format_parameters(8_030_261_248)
    '8.03 B'
    """
    for factor, suffix in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        value = float(f"{count / factor:.3g}")  # so that what would be 1000 M is 1.00 B
        if value >= 1:
            digits = 2 if value < 10 else 1 if value < 100 else 0
            return f"{value:.{digits}f} {suffix}"
    return str(count)


def parse_bytes(text: str) -> int:
    """The bytes that ``text`` names: ``"1.5 GiB"``, ``"80GB"`` (10⁹), ``"4096"``.

    Raises ``ValueError`` when it names no size.

    >>> parse_bytes("1.5 GiB"), parse_bytes("80GB")
    (1610612736, 80000000000)
    """
    match = _SIZE.fullmatch(text)
    if match is None or match[2].upper() not in _FACTORS:
        raise ValueError(f"“{text}” is not a size; write it like 1.5 GiB")
    return round(float(match[1]) * _FACTORS[match[2].upper()])
