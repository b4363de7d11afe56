"""What kept runs tell of time and of quality."""

from __future__ import annotations

from memplanner.history.steps import judgements, perplexity_ratio, steady_seconds, timed_steps
from memplanner.messages.device import Device
from memplanner.messages.run import QualityFigures, QualityReport
from memplanner.plan import Plan
from tests.history.records import run


def test_the_first_step_is_left_out() -> None:
    assert steady_seconds((9.0, 1.0, 3.0, 2.0)) == 2.0
    assert steady_seconds((9.0,)) is None
    assert steady_seconds(()) is None


def test_runs_without_times_tell_none() -> None:
    timed = run(step_seconds=2.0, estimated_seconds=1.0)
    (step,) = timed_steps([run(), timed, run(step_seconds=2.0)])
    assert (step.model, step.seconds, step.estimated_seconds) == (timed.model, 2.0, 1.0)


def test_ranks_that_share_a_cpu_tell_nothing_of_its_speed() -> None:
    ranks = Plan().with_values({"sharding.cards_per_node": 2})
    cpu = Device(name="CPU", kind="cpu", memory_bytes=2**34, local=True)
    times = {"plan": ranks, "step_seconds": 2.0, "estimated_seconds": 1.0}
    assert timed_steps([run(**times, device=cpu)]) == ()
    assert len(timed_steps([run(**times)])) == 1


def test_runs_that_judged_tell_what_compression_cost() -> None:
    (judged,) = judgements([run(), run(perplexity_ratio=1.2)])
    assert judged.perplexity_ratio == 1.2


def figures(perplexity: float | None) -> QualityFigures:
    return QualityFigures(
        loss=1.0, perplexity=perplexity, memory_bytes=1, disk_bytes=1, per_second=None
    )


def test_perplexity_is_compared_where_there_is_one() -> None:
    def report(before: float | None, after: float | None) -> QualityReport:
        return QualityReport(
            data="text", unit="tokens", count=1, before=figures(before), after=figures(after),
            layers=(), seconds=1.0,
        )  # fmt: skip

    assert perplexity_ratio(report(10.0, 12.0)) == 1.2
    assert perplexity_ratio(report(None, 12.0)) is None
    assert perplexity_ratio(None) is None


def test_runs_of_earlier_versions_are_still_read() -> None:
    old = run().model_dump(exclude={"step_seconds", "estimated_seconds", "perplexity_ratio"})
    assert type(run()).model_validate(old) == run()
