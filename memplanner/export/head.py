"""The lines that open an exported file: what it is for, and what it cannot say."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from memplanner.export.target import Subject

WIDTH = 100


def one_line(text: str) -> str:
    """``text`` without line ends or anything else that does not print."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def origin(subject: Subject) -> str:
    """What was planned, in words: ``LlamaForCausalLM llama-3.1-8b on H100 80GB``."""
    model = subject.model
    name = one_line(model.name)
    if name != one_line(model.class_name):
        name = f"{name} ({one_line(model.class_name)})"
    device = "the CPU" if subject.device.kind == "cpu" else one_line(subject.device.name)
    return f"{name} on {device}"


def comment(paragraphs: Sequence[str], items: Sequence[str] = ()) -> str:
    """Comment lines for YAML: the paragraphs, then the items of a list."""
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += wrap(
            one_line(paragraph),
            WIDTH,
            initial_indent="# ",
            subsequent_indent="# ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    for item in items:
        lines += wrap(
            one_line(item),
            WIDTH,
            initial_indent="# - ",
            subsequent_indent="#   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "".join(line + "\n" for line in lines)
