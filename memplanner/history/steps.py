"""What kept runs tell of time and of quality. Only arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from memplanner.messages.history import Judgement, RunRecord, TimedStep
from memplanner.messages.run import QualityReport


def steady_seconds(step_seconds: Sequence[float]) -> float | None:
    """The median of the steps after the first, which makes states and fills caches."""
    later = [seconds for seconds in step_seconds[1:] if seconds > 0]
    return median(later) if later else None


def perplexity_ratio(report: QualityReport | None) -> float | None:
    """After compression over before; None where perplexity means nothing."""
    if report is None or not report.before.perplexity or report.after.perplexity is None:
        return None
    return report.after.perplexity / report.before.perplexity


def timed_steps(runs: Iterable[RunRecord]) -> tuple[TimedStep, ...]:
    """The runs whose steps were timed, in their order.

    Ranks on a CPU share its cores, which an estimate of one of them knows nothing of: left out.
    """
    return tuple(
        TimedStep(
            model=run.model,
            plan=run.plan,
            seconds=run.step_seconds,
            estimated_seconds=run.estimated_seconds,
        )
        for run in runs
        if run.step_seconds
        and run.estimated_seconds
        and (run.device.kind != "cpu" or run.plan.sharding.ranks == 1)
    )


def judgements(runs: Iterable[RunRecord]) -> tuple[Judgement, ...]:
    """The runs that judged a compressed model, in their order."""
    return tuple(
        Judgement(model=run.model, plan=run.plan, perplexity_ratio=run.perplexity_ratio)
        for run in runs
        if run.perplexity_ratio is not None
    )
