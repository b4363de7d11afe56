"""Sizes and counts as text: what is shown can be read back, and what is shown together agrees."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from memplanner.units import (
    GIB,
    KIB,
    MIB,
    MINUS,
    NOTHING,
    THIN_SPACE,
    format_bytes,
    format_count,
    format_difference,
    format_duration,
    format_parameters,
    parse_bytes,
)

SIZES = st.one_of(
    st.integers(1, 4 * KIB),
    st.integers(1, 4 * MIB),
    st.integers(1, 4 * GIB),
    st.integers(1, 4096 * GIB),
)
STEP_BYTES = {"B": 1, "KiB": KIB, "MiB": MIB, "GiB": GIB // 10}
"""Two sizes this far apart are shown differently."""


def step_bytes(shown: str) -> int:
    return STEP_BYTES[shown.split()[1]]


def tenths(shown: str) -> int:
    """A size or difference in GiB, in tenths of a GiB."""
    return round(float(shown.removesuffix(" GiB").replace(MINUS, "-")) * 10)


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, NOTHING),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (MIB - KIB // 2 - 1, "1023 KiB"),
        (MIB - KIB // 2, "1 MiB"),
        (416 * MIB, "416 MiB"),
        (GIB - MIB // 2 - 1, "1023 MiB"),
        (GIB - MIB // 2, "1.0 GiB"),
        (GIB, "1.0 GiB"),
        (int(79.6 * GIB), "79.6 GiB"),
        (2048 * GIB, "2048.0 GiB"),
        (-208 * MIB, f"{MINUS}208 MiB"),
    ],
)
def test_sizes_read_as_people_write_them(size_bytes: int, shown: str) -> None:
    assert format_bytes(size_bytes) == shown


@given(SIZES)
def test_a_shown_size_is_read_back_to_its_last_digit(size_bytes: int) -> None:
    shown = format_bytes(size_bytes)
    error = abs(parse_bytes(shown) - size_bytes)
    assert 2 * error <= step_bytes(shown) + 1  # 0.1 GiB is no whole number of bytes


@given(SIZES, SIZES)
@example(GIB - MIB // 2 - 1, GIB - MIB // 2)
def test_more_is_never_shown_as_less(one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert parse_bytes(format_bytes(less)) <= parse_bytes(format_bytes(more))


@given(SIZES)
def test_no_unit_is_shown_in_full_thousands(size_bytes: int) -> None:
    number, unit = format_bytes(size_bytes).split()
    assert unit == "GiB" or float(number) < 1024


@given(SIZES)
def test_what_is_missing_is_shown_as_what_is_spare_with_a_minus(size_bytes: int) -> None:
    assert format_bytes(-size_bytes) == MINUS + format_bytes(size_bytes)


@pytest.mark.parametrize(
    ("after_bytes", "before_bytes", "shown"),
    [
        (0, 0, NOTHING),
        (5 * GIB, 5 * GIB, NOTHING),
        (3 * GIB, 2 * GIB, "+1.0 GiB"),
        (2 * GIB, 3 * GIB, f"{MINUS}1.0 GiB"),
        (0, 208 * MIB, f"{MINUS}208 MiB"),
        (5 * GIB + 12 * KIB, 5 * GIB, "+12 KiB"),
        (int(6.26 * GIB), int(5.24 * GIB), "+1.1 GiB"),  # 6.3 and 5.2 are shown
    ],
)
def test_differences_carry_a_sign(after_bytes: int, before_bytes: int, shown: str) -> None:
    assert format_difference(after_bytes, before_bytes) == shown


@given(less=st.integers(GIB, 4096 * GIB), difference=st.integers(GIB - MIB // 2, 4096 * GIB))
@example(less=5 * GIB + GIB // 19, difference=GIB - MIB // 4)
def test_a_difference_agrees_with_the_two_numbers_shown(less: int, difference: int) -> None:
    more = less + difference
    arithmetic = tenths(format_bytes(more)) - tenths(format_bytes(less))
    assert tenths(format_difference(more, less).removeprefix("+")) == arithmetic
    assert tenths(format_difference(less, more)) == -arithmetic


@given(SIZES, st.integers(1, GIB - MIB // 2 - 1))
def test_a_smaller_difference_is_shown_by_itself(less: int, difference: int) -> None:
    assert format_difference(less + difference, less) == "+" + format_bytes(difference)


@given(SIZES, SIZES)
def test_a_difference_turned_round_changes_its_sign_only(after: int, before: int) -> None:
    assume(after != before)
    one, other = format_difference(after, before), format_difference(before, after)
    assert {one[0], other[0]} == {"+", MINUS}
    assert one[1:] == other[1:]
    assert (one[0] == "+") == (after > before)


@given(st.integers(-(10**15), 10**15))
def test_a_count_keeps_its_digits_in_threes(count: int) -> None:
    shown = format_count(count)
    assert shown.replace(THIN_SPACE, "") == str(count)
    first, *others = shown.removeprefix("-").split(THIN_SPACE)
    assert 1 <= len(first) <= 3
    assert all(len(group) == 3 for group in others)


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00 K"),
        (134_515_008, "135 M"),
        (999_949_999, "1.00 B"),
        (8_030_261_248, "8.03 B"),
        (70_553_706_496, "70.6 B"),
        (405_853_388_800, "406 B"),
    ],
)
def test_parameters_read_as_papers_write_them(count: int, shown: str) -> None:
    assert format_parameters(count) == shown


@given(st.integers(1000, 10**12 - 10**9))
@example(9_999_999)
@example(99_999_999)
@example(999_999_999)
def test_parameters_have_three_figures(count: int) -> None:
    number, suffix = format_parameters(count).split()
    assert len(re.sub(r"\D", "", number)) == 3
    factor = {"K": 10**3, "M": 10**6, "B": 10**9}[suffix]
    assert abs(float(number) * factor - count) <= 0.0051 * count


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("4096", 4096),
        ("0", 0),
        ("80GB", 80 * 10**9),
        ("80 gb", 80 * 10**9),
        ("1.5 GiB", 3 * GIB // 2),
        (" 512 MiB ", 512 * MIB),
        ("2TiB", 2048 * GIB),
        ("12 B", 12),
    ],
)
def test_sizes_are_read_in_both_kinds_of_units(text: str, size_bytes: int) -> None:
    assert parse_bytes(text) == size_bytes


@pytest.mark.parametrize("text", ["", "GiB", "1.5.2 GiB", "-1 GiB", "12 parsecs", "1e9", "1,5 GB"])
def test_what_is_no_size_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a size; write it like 1\.5 GiB") as refused:
        parse_bytes(text)
    assert f"“{text}”" in str(refused.value)


@given(st.text(max_size=20))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    try:
        size_bytes = parse_bytes(text)
    except ValueError as error:
        assert "is not a size" in str(error)  # noqa: PT017  (either outcome is right)
    else:
        assert size_bytes >= 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0012, "1.2 ms"), (0.0996, "100 ms"), (0.812, "810 ms"), (0.999, "1.0 s"),
        (5.31, "5.3 s"), (9.96, "10 s"), (48.2, "48 s"), (59.7, "1 min 0 s"), (125, "2 min 5 s"),
        (3599.6, "1 h 0 min"), (3840, "1 h 4 min"), (0, "0.0 ms"),
    ],
)  # fmt: skip
def test_a_time_has_two_or_three_figures(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_no_time_is_negative() -> None:
    with pytest.raises(ValueError, match="not negative"):
        format_duration(-1)
