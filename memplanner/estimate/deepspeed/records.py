"""The recordings behind a prediction: a model's own, or DeepSpeed's tapes made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from memplanner.estimate.deepspeed.rank_tape import deepspeed_tape
from memplanner.estimate.recorder import Recorder
from memplanner.plan import Plan
from memplanner.tape.tape import Tape
from memplanner.techniques.parallel.deepspeed import one_card
from memplanner.techniques.prepare import check
from memplanner.techniques.target import Target


class Records(Protocol):
    """What a prediction asks of recordings."""

    def tape(self, plan: Plan, target: Target) -> tuple[Tape, str]:
        """The tape of one steady step, and how it was made."""
        ...

    def exact(self, plan: Plan, target: Target) -> Tape:
        """The tape whose shapes are those of this very batch and sequence."""
        ...

    def prepare_changes(self, plan: Plan, target: Target) -> None:
        """Records what later changes of batch and sequence need."""
        ...


class DeepSpeedRecords:
    """Tapes of DeepSpeed's ranks, which all hold about the same."""

    def __init__(self, records: Recorder) -> None:
        self._records = records

    def tape(self, plan: Plan, target: Target) -> tuple[Tape, str]:
        """As ``Records.tape``. Raises ``PlanError`` where DeepSpeed cannot carry the plan out."""
        check(plan, target)
        tape, method = self._records.tape(one_card(plan), replace(target, rank=0))
        return deepspeed_tape(tape, plan, target), f"{method}, DeepSpeed's buffers reckoned"

    def exact(self, plan: Plan, target: Target) -> Tape:
        """As ``Records.exact``."""
        tape = self._records.exact(one_card(plan), replace(target, rank=0))
        return deepspeed_tape(tape, plan, target)

    def prepare_changes(self, plan: Plan, target: Target) -> None:
        """As ``Records.prepare_changes``."""
        self._records.prepare_changes(one_card(plan), replace(target, rank=0))


def records_for(records: Recorder, plan: Plan) -> Records:
    """Where the tapes of ``plan`` come from."""
    return DeepSpeedRecords(records) if plan.sharding.deepspeed else records
