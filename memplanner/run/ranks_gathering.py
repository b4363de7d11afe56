"""Many ranks' events made one run's: only bookkeeping, no processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from memplanner.messages.run import (
    RankRun,
    RunEvent,
    RunProgress,
    RunResult,
    RunSample,
    RunStarted,
    RunStep,
)
from memplanner.run.ending import Followed
from memplanner.run.request import RunRequest
from memplanner.run.wording import stopped_after

_LOST_PEER = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "NCCL error")
"""What the others say of a rank that went away (gloo's and NCCL's words)."""


@dataclass(slots=True)
class Gathering:
    """What the ranks have said so far; ``process_id`` is that of whoever started them."""

    request: RunRequest
    process_id: int
    results: dict[int, RunResult] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    """Ranks that ended without a result, in order."""
    _followed: dict[int, Followed] = field(default_factory=dict)
    _started: dict[int, RunStarted] = field(default_factory=dict)
    _steps: dict[int, dict[int, RunStep]] = field(default_factory=dict)
    _early: list[RunEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._followed = {rank: Followed(self.request) for rank in range(self.ranks)}

    @property
    def ranks(self) -> int:
        """How many there are."""
        return len(self.request.ranks)

    @property
    def trouble(self) -> bool:
        """Whether some rank has ended otherwise than the run was asked to."""
        ended = {result.outcome for result in self.results.values()}
        return bool(self.gone) or bool(ended & {"failed", "out_of_memory"})

    @property
    def complete(self) -> bool:
        """Whether all have sent a result."""
        return len(self.results) == self.ranks

    def end(self, rank: int) -> None:
        """A rank has nothing more to say."""
        if rank not in self.results:
            self.gone.append(rank)

    def take(self, rank: int, event: RunEvent) -> Sequence[RunEvent]:
        """Notes an event of a rank; what is to be told of it now, in the run's words."""
        if isinstance(event, RunResult):
            self.results[rank] = event
            return ()
        self._followed[rank].note(event)
        told: list[RunEvent] = []
        if isinstance(event, RunStarted):
            self._started[rank] = event
            if len(self._started) == self.ranks:
                told += [self._all_started(), *self._early]
                self._early = []
        elif isinstance(event, RunSample):
            told.append(event.model_copy(update={"rank": rank}))
        elif isinstance(event, RunStep):
            of_step = self._steps.setdefault(event.step, {})
            of_step[rank] = event
            if len(of_step) == self.ranks:
                told.append(_together(of_step))
        elif isinstance(event, RunProgress) and rank == 0:
            told.append(event)
        if len(self._started) < self.ranks:  # what is first to be told is that all have
            self._early += told
            return ()
        return told

    def _all_started(self) -> RunStarted:
        ranks = tuple(
            rank.model_copy(update={"process_id": self._started[rank.rank].process_id})
            for rank in self.request.ranks
        )
        return self._started[0].model_copy(
            update={
                "device": self.request.device,
                "predicted": self.request.predicted,
                "process_id": self.process_id,
                "ranks": ranks,
            }
        )

    def to_blame(self) -> int:
        """The rank that ended the run: one that is gone before one that only misses another."""
        if self.gone:
            return self.gone[0]
        failed = [
            rank for rank, result in self.results.items()
            if result.outcome in {"failed", "out_of_memory"}
        ]  # fmt: skip
        own = [rank for rank in failed if not _misses_another(self.results[rank])]
        return (own or failed)[0]

    def died(self, rank: int, code: int, errors: Sequence[str]) -> RunResult:
        """The result where a rank ended by itself with a return code as ``subprocess`` has it."""
        return self._of_rank(rank, self._followed[rank].died(code, errors))

    def failed(self, rank: int) -> RunResult:
        """The result where a rank says that it failed."""
        return self._of_rank(rank, self.results[rank])

    def stopped(self) -> RunResult:
        """The result where all were told to stop, with what those measured that could say so."""
        known = [result for result in self.results.values() if result.outcome == "stopped"]
        if len(known) == self.ranks:
            return self.whole()
        result = self._followed[0].stopped()
        steps = sum(len(of_step) == self.ranks for of_step in self._steps.values())
        return result.model_copy(
            update={"ranks": self._measured(), "sentence": stopped_after(steps), "steps": steps}
        )

    def whole(self) -> RunResult:
        """The result where every rank has one: the figures of the fullest."""
        ranks = self._measured()
        fullest = max(ranks, key=_fullness)
        result = self.results[fullest.rank]
        others = [self.results[rank] for rank in sorted(self.results)]
        losses = [each.losses for each in others if each.losses]
        return result.model_copy(
            update={
                "device": self.request.device,
                "ranks": ranks,
                "losses": tuple(_mean(step) for step in zip(*losses, strict=False)),
                "step_seconds": tuple(
                    map(max, zip(*(each.step_seconds for each in others), strict=False))
                ),
                "notes": tuple(dict.fromkeys(note for each in others for note in each.notes)),
            }
        )

    def _of_rank(self, rank: int, result: RunResult) -> RunResult:
        return result.model_copy(
            update={
                "device": self.request.device,
                "sentence": f"Rank {rank} of {self.ranks} ended the run: {result.sentence}",
                "where": result.where and f"rank {rank}, {result.where}",
                "predicted": self.request.predicted,
                "measured": None,
                "error": None,
                "ranks": self._measured(),
            }
        )

    def _measured(self) -> tuple[RankRun, ...]:
        return tuple(
            rank.model_copy(update={"measured": result.measured, "error": result.error})
            if (result := self.results.get(rank.rank)) is not None
            else rank
            for rank in self.request.ranks
        )


def _together(of_step: dict[int, RunStep]) -> RunStep:
    """One event of a step that every rank has made: the slowest, the fullest, the mean loss."""
    ranks = [of_step[rank] for rank in sorted(of_step)]
    peaks = tuple(step.peak_bytes for step in ranks)
    losses = [step.loss for step in ranks if step.loss is not None]
    fullest = peaks.index(max(peaks))
    return ranks[fullest].model_copy(
        update={
            "seconds": max(step.seconds for step in ranks),
            "step_seconds": max(step.step_seconds for step in ranks),
            "loss": sum(losses) / len(losses) if losses else None,
            "rank": fullest,
            "rank_peaks_bytes": peaks,
        }
    )


def _mean(losses: Sequence[float]) -> float:
    return sum(losses) / len(losses)


def _fullness(rank: RankRun) -> int:
    return (rank.measured or rank.predicted).allocated_bytes


def _misses_another(result: RunResult) -> bool:
    return any(words in result.sentence for words in _LOST_PEER)
