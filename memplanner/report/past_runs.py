"""Past runs in words and as rows: how far predictions were off, and of which plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from memplanner.messages.history import KeptRun
from memplanner.plan import Plan
from memplanner.report.settings import Setting, changed
from memplanner.units import MINUS, NOTHING, format_bytes, format_count, format_duration

CAUTION = 0.03
"""An error of this share and more is one to look at."""
TITLES = (
    "When", "Model", "Plan", "Device", "Predicted", "Measured", "Error", "Est. step", "Step",
)  # fmt: skip
"""Of a step's time the estimated and the measured one."""
_OUTCOMES = {"out_of_memory": "ran out of memory", "failed": "failed"}
_FIRST = ("training.batch_size", "training.sequence_length")
"""They are said together."""
_LAST = ("precision", "optimizer.name")
"""Every plan has them, so they tell plans apart the least."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far the predictions of some runs were off, as shares without a sign."""

    runs: int
    median: float
    worst: float

    @property
    def words(self) -> str:
        """Such as ``median error 1.1 %, worst 3.4 %``; of a single run its error."""
        if self.runs == 1:
            return f"error {_share(self.worst)}"
        return f"median error {_share(self.median)}, worst {_share(self.worst)}"


def accuracy(runs: Iterable[KeptRun]) -> Accuracy | None:
    """Of the runs whose steps came to their end; None where there are none."""
    errors = [abs(run.error) for run in runs if run.whole and run.error is not None]
    return Accuracy(len(errors), median(errors), max(errors)) if errors else None


def told(runs: Sequence[KeptRun]) -> str:
    """Such as ``median error 0.8 %, worst 4.1 % in 30 runs; 3 runs cut short``."""
    short, known = sum(not run.whole for run in runs), accuracy(runs)
    parts = [] if known is None else [f"{known.words} in {counted(known.runs)}"]
    if short:
        parts.append(f"{counted(short)} cut short")
    return "; ".join(parts)


def counted(runs: int) -> str:
    """``1 run``, ``41 runs``."""
    return f"{format_count(runs)} {'run' if runs == 1 else 'runs'}"


def error_words(error: float | None) -> str:
    """Such as ``+1.2 %`` and ``−0.4 %``; what rounds to nothing has no sign."""
    if error is None:
        return NOTHING
    sign = "" if not round(error, 3) else MINUS if error < 0 else "+"
    return f"{sign}{_share(abs(error))}"


def is_large(run: KeptRun) -> bool:
    """Whether a run's error is one to look at; of one that was cut short it says little."""
    return run.whole and run.error is not None and abs(run.error) >= CAUTION


def when(run: KeptRun) -> str:
    """When a run ended, in this machine's time: ``2026-01-31 12:00``."""
    try:
        ended = datetime.fromisoformat(run.at)
    except ValueError:
        return run.at
    return ended.astimezone().strftime("%Y-%m-%d %H:%M")


def plan_words(plan: Plan) -> str:
    """What a plan is, shortly: ``1 × 4096, LoRA, bf16, AdamW``."""
    training = plan.training
    said = {
        one.key: _with_title(one) if _is_plain(one.values[0]) else one.values[0]
        for one in changed(plan)
        if one.key not in _FIRST
    }
    last = [said.pop(key) for key in _LAST if key in said]
    batch = f"{training.batch_size} × {training.sequence_length}"
    return ", ".join([batch, *said.values(), *last])


def _is_plain(word: str) -> bool:
    """Whether a value says nothing without its title."""
    return word in ("on", "off", "none") or word.replace(".", "").isdigit()


def _with_title(one: Setting) -> str:
    return f"{one.title.rpartition(': ')[2].lower()} {one.values[0]}"


def outcome_words(run: KeptRun) -> str:
    """How a run ended where its figures are not those of whole steps; else empty."""
    return _OUTCOMES.get(run.outcome or "", "")


def step_words(seconds: float | None) -> str:
    """A step's time, or a dash."""
    return NOTHING if seconds is None else format_duration(seconds)


def row(run: KeptRun) -> tuple[str, ...]:
    """The cells of ``TITLES``."""
    ended = outcome_words(run)
    return (
        when(run),
        run.model,
        plan_words(run.plan) + (f" ({ended})" if ended else ""),
        run.device.name,
        format_bytes(run.predicted.allocated_bytes),
        format_bytes(run.measured.allocated_bytes),
        error_words(run.error),
        step_words(run.estimated_seconds),
        step_words(run.step_seconds),
    )


def table(runs: Sequence[KeptRun]) -> list[tuple[str, ...]]:
    """Titles, then a row a run, in their order."""
    return [TITLES, *map(row, runs)]


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"
