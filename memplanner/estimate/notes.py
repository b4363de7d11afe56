"""What a prediction does not cover, said in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memplanner.estimate.on_device import REPLAYED_KINDS
from memplanner.hardware.catalogue import card_of
from memplanner.hardware.overhead import unknown_overhead
from memplanner.model.loaded import Model
from memplanner.units import format_bytes, format_count

if TYPE_CHECKING:
    from memplanner.estimate.prediction import Prediction


def notes_on(model: Model, made: Prediction) -> list[str]:
    """Beside what the model, the recording and the environment say themselves."""
    notes: list[str] = []
    limit = model.max_sequence_length
    asked = made.plan.training.sequence_length
    if model.takes_sequence and limit is not None and asked > limit:
        notes.append(
            f"The model has positions for {format_count(limit)} tokens; "
            f"the estimate is for {format_count(limit)}, not {format_count(asked)}."
        )
    if model.parameters_only:
        notes.append("Activations are not covered: the source holds parameters only.")
    if made.device.kind == "cpu":
        notes.append(
            "Workspaces are what kernels took here when run once; calls too large to try "
            "are left out."
        )
    elif made.device.kind not in REPLAYED_KINDS:
        notes.append(
            unknown_overhead(made.device)
            or "What the device holds beside allocated memory is not known."
        )
    card = card_of(made.device)
    if card is not None and card.shares_memory:
        notes.append(
            f"{made.device.name} shares its memory with the system: what the system and other "
            "programs hold of it is not in these figures and must be left free."
        )
    notes += made.on_device.notes
    if made.host_bytes:
        notes.append(
            f"Beside the device, the plan takes {format_bytes(made.host_bytes)} of the host's "
            "memory."
        )
    section = made.plan.sharding
    if section.deepspeed and "nvme" in (section.offload_optimizer, section.offload_parameters):
        notes.append("How long a step takes is not told: no rate of an NVMe drive is known.")
    fails = None if made.allocator is None else made.allocator.fails
    if fails is not None:
        where = f" of {fails.module}" if fails.module else ""
        notes.append(
            f"A run would end in {fails.phase.replace('_', ' ')}{where} of step "
            f"{fails.step + 1}, which asks for {format_bytes(fails.requested_bytes)} more."
        )
    if made.on_device.replayed is not None and made.on_device.replayed.retries:
        notes.append(
            "It fits only while torch gives cached memory back, which stalls the card at "
            "every such moment."
        )
    return notes
