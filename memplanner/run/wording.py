"""Words of results that parent and worker share."""

from __future__ import annotations

from memplanner.plan.inference import Round


def counted(count: int, word: Round = "step") -> str:
    """``1 step``, ``3 steps`` or ``3 generations``."""
    return f"1 {word}" if count == 1 else f"{count} {word}s"


def stopped_after(count: int, word: Round = "step") -> str:
    """The sentence of a run that was asked to stop."""
    if not count:
        return f"Stopped before a {word} was done."
    return f"Stopped after {counted(count, word)}."


def loss_words(value: float) -> str:
    """A loss or perplexity in four figures, such as ``17.31`` or ``1.204``."""
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.3e}"
