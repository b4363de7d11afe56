"""Days as the window says them: ``20 Nov``."""

from __future__ import annotations

from datetime import date

from memplanner_ui.language import translatable, translate

_MONTHS = (
    translatable("Window", "Jan"), translatable("Window", "Feb"), translatable("Window", "Mar"),
    translatable("Window", "Apr"), translatable("Window", "May"), translatable("Window", "Jun"),
    translatable("Window", "Jul"), translatable("Window", "Aug"), translatable("Window", "Sep"),
    translatable("Window", "Oct"), translatable("Window", "Nov"), translatable("Window", "Dec"),
)  # fmt: skip


def day_words(day: date, *, year: bool = False, digits: int = 1) -> str:
    """A day with its month, and with its year where it is another; ``digits`` of the day at least.

    >>> from datetime import date
    >>> day_words(date(2026, 2, 3)), day_words(date(2026, 2, 3), year=True, digits=2)
    ('3 Feb', '03 Feb 2026')
    """
    number, month = f"{day.day:0{digits}}", translate("Window", _MONTHS[day.month - 1])
    if year:
        return translate("Window", "{day} {month} {year}").format(
            day=number, month=month, year=day.year
        )
    return translate("Window", "{day} {month}").format(day=number, month=month)
