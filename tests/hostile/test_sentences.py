"""A sentence is one line of text, whatever it quotes."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memplanner.errors import LONGEST_SENTENCE, MemplannerError, package_missing
from memplanner.messages.protocol import Hello
from memplanner.server.channel import Channel
from memplanner.server.guard import guarded
from tests.hostile.case import is_one_line


@given(st.text())
def test_any_text_becomes_one_line(text: str) -> None:
    said = str(MemplannerError(text))
    assert is_one_line(said)
    assert len(said) <= len(text)
    if is_one_line(text):
        assert said == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\x1b[2Jb", "a [2Jb"),
        ("a\r\n\tb", "a b"),
        ("a\u202eb", "a b"),
        ("a\ud800b", "a b"),
        ("a\U000d38b4b", "a b"),
        ("1\u2009234 tokens, “größer”, 5\u00a0MiB", "1\u2009234 tokens, “größer”, 5\u00a0MiB"),
        ("x" * 3000, "x" * (LONGEST_SENTENCE - 1) + "…"),
    ],
)
def test_what_no_terminal_shows_is_a_space(text: str, said: str) -> None:
    assert str(MemplannerError(text)) == said


def answered(error: BaseException) -> dict[str, object]:
    """What the engine says where ``error`` is raised over a request."""
    sent = io.BytesIO()

    def fail() -> None:
        raise error

    assert guarded(Hello(id=4), Channel(sent), fail)
    found: dict[str, object] = json.loads(sent.getvalue())
    return found


def test_a_defect_is_one_line_too() -> None:
    said = answered(ZeroDivisionError("a\n\x1b[2Jb"))
    assert said["error"] == "Defect"
    assert said["sentence"] == (
        "memplanner failed in hello (ZeroDivisionError: a [2Jb); the engine's log has the details."
    )


def test_a_package_that_is_missing_is_told_with_its_command() -> None:
    said = answered(ModuleNotFoundError("No module named 'PIL'", name="PIL"))
    assert said["error"] == "PackageMissing"
    assert f"{sys.executable} has no pillow, which the engine needs" in str(said["sentence"])
    assert "-m pip install pillow" in str(said["sentence"])
    assert package_missing(ModuleNotFoundError("x", name="own_module")) is None
    assert package_missing(ImportError("x")) is None
