"""What a Python that an engine may run in has, as it says itself when it is asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from memplanner.messages.base import Message


class Environment(Message):
    """A Python and its packages; told at once, with nothing imported."""

    kind: Literal["environment"] = "environment"
    python: str
    """Its version."""
    executable: str
    machine: str
    """The name of the machine that it is in."""
    packages: dict[str, str | None]
    """By the name asked for: the installed version, or None."""
    torch_build: str
    """What its torch is built for, such as ``CUDA 12.6``; empty for the CPU alone."""
    others: tuple[str, ...]
    """Paths of other Pythons of the same user there."""
    more: bool
    """``EnvironmentCards`` follows, once torch is imported."""


class EnvironmentCards(Message):
    """The cards that an environment's torch sees."""

    kind: Literal["cards"] = "cards"
    cards: tuple[str, ...]
    """Their names."""
    trouble: str
    """Why torch could not say; empty when it could."""


read_environment: TypeAdapter[Environment | EnvironmentCards] = TypeAdapter(
    Annotated[Environment | EnvironmentCards, Field(discriminator="kind")]
)
