from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.errors import SourceError
from memplanner.model.plain_pickle import read_plain
from memplanner.model.plain_values import Made, Name

NUMBERS = st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False)
OLD = NUMBERS | st.text(max_size=20)
"""What every protocol has words for: before the third, bytes are made by a call."""


def nested(leaves: st.SearchStrategy[Any], keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists, tuples and dictionaries of such leaves."""

    def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        several = st.lists(inner, max_size=4)
        return several | several.map(tuple) | st.dictionaries(keys, inner, max_size=4)

    return st.recursive(leaves, around, max_leaves=20)


KEYS = st.text(max_size=8) | st.integers()
VALUES = nested(OLD | st.binary(max_size=20), KEYS | st.binary(max_size=4))


@given(value=VALUES, protocol=st.integers(3, 5))
def test_plain_values_come_out_as_they_went_in(value: Any, protocol: int) -> None:
    assert read_plain(pickle.dumps(value, protocol), "it") == value


@given(value=nested(OLD, KEYS), protocol=st.integers(0, 2))
def test_so_they_do_in_older_protocols(value: Any, protocol: int) -> None:
    assert read_plain(pickle.dumps(value, protocol), "it") == value


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_called(tmp_path: Path, protocol: int) -> None:
    found = read_plain(pickle.dumps([Trap(tmp_path / "trapped")], protocol), "it")[0]
    assert isinstance(found, Made)
    assert found.call == Name("posix", "mkdir")
    assert found.arguments == (str(tmp_path / "trapped"),)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_an_ordered_dictionary_keeps_its_items(protocol: int) -> None:
    table = OrderedDict(a=1, b=2)
    found = read_plain(pickle.dumps(table, protocol), "it")
    assert isinstance(found, Made)
    if protocol >= 2:  # older ones give a list of pairs as the argument
        assert found.items == {"a": 1, "b": 2}


def sentence(data: bytes) -> str:
    """What is said of a pickle that cannot be read; nothing of one that can."""
    try:
        read_plain(data, "it")
    except SourceError as error:
        return str(error)
    return "it is read"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_one_sentence(data: bytes) -> None:
    said = sentence(data)
    assert said.startswith("it ")
    assert "\n" not in said


@given(value=VALUES, data=st.data())
def test_a_damaged_pickle_is_a_value_or_one_sentence(value: Any, data: st.DataObject) -> None:
    whole = bytearray(pickle.dumps(value, data.draw(st.integers(0, 5))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assert len(sentence(bytes(whole))) < 300


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no end"),
        (b"\x80\x05]", "no end"),
        (b"\x80\x09.", "protocol 9"),
        (b"X\xff\xff\xff\x7f.", "a text of 2147483647 bytes"),
        (b"\x8d" + b"\xff" * 8 + b".", "a text of"),
        (b"\x8b\xff\xff\xff\x7f.", "a number of 2147483647 bytes"),
        (b"I" + b"9" * 5000 + b"\n.", "a number of 5000 digits"),
        (b"}]Ns.", "a key that is no name or number"),
        (b"\x82\x01.", "the opcode 0x82"),
        (b"h\x05.", "the value 5, which was not made"),
        (b"(" * 100 + b".", "a value too few"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_plain(data, "it")


def test_values_are_counted() -> None:
    with pytest.raises(SourceError, match="more values"):
        read_plain(b"]" * 100 + b".", "it", most_values=50)
