"""Words of results that parent and worker share."""


def counted(steps: int) -> str:
    """``1 step`` or ``3 steps``."""
    return "1 step" if steps == 1 else f"{steps} steps"


def stopped_after(steps: int) -> str:
    """The sentence of a run that was asked to stop."""
    return f"Stopped after {counted(steps)}." if steps else "Stopped before a step was done."


def loss_words(value: float) -> str:
    """A loss or perplexity in four figures, such as ``17.31`` or ``1.204``."""
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.3e}"
