"""Whether this machine can run a sharded plan, on what, and what is predicted of each rank."""

from __future__ import annotations

from memplanner.errors import RunError
from memplanner.estimate import Prediction
from memplanner.hardware import find_device, host_device, local_devices
from memplanner.messages.device import Device
from memplanner.messages.run import RankRun
from memplanner.plan import Plan
from memplanner.techniques.inference import trains
from memplanner.units import format_bytes


def device_for(name: str, plan: Plan) -> Device:
    """The device that ``name`` means for the plan: ``auto`` is the CPU without a card a rank.

    Raises ``DeviceError``.
    """
    device = find_device(name)
    asked_for = name.strip().lower() != "auto"
    return device if asked_for or _cards(device) >= plan.sharding.ranks else host_device()


def check_ranks(plan: Plan, device: Device, *, save: bool) -> None:
    """Raises ``RunError`` where the plan's ranks cannot run on this machine."""
    section = plan.sharding
    if section.deepspeed:
        raise RunError(
            "DeepSpeed's ranks are planned and exported, and not run here; export the plan "
            "(deepspeed or accelerate), or set sharding.engine=torch."
        )
    if section.nodes > 1:
        raise RunError(
            f"The plan takes {section.nodes} machines, and apply runs on this one; export it "
            "(slurm, script or accelerate), or set sharding.nodes=1."
        )
    if device.kind not in {"cpu", "cuda"}:
        raise RunError(f"Ranks run on CUDA cards or the CPU, not on {device.name}; choose cpu.")
    if device.kind == "cuda" and _cards(device) < section.ranks:
        raise RunError(
            f"The plan takes {section.ranks} cards, and this machine has {_cards(device)}; "
            "run its ranks on the CPU with --device cpu."
        )
    if not trains(plan):
        raise RunError(
            f"inference.use={plan.inference.use} runs on one card; choose "
            "sharding.cards_per_node=1."
        )
    if save:
        raise RunError(
            "A compressed model is saved by a run on one card; leave --save out, or choose "
            "sharding.cards_per_node=1."
        )


def check_host_memory(ranks: tuple[RankRun, ...], device: Device) -> None:
    """Raises ``RunError`` where the ranks together take more than this machine's memory."""
    free = device.free_bytes
    together = sum(rank.predicted.allocated_bytes for rank in ranks)
    if device.kind == "cpu" and free is not None and together > free:
        raise RunError(
            f"The {len(ranks)} ranks take {format_bytes(together)} together, but {device.name} "
            f"has {format_bytes(max(free, 0))} free; change the plan, or force the run."
        )


def rank_predictions(prediction: Prediction) -> tuple[RankRun, ...]:
    """What is predicted of each rank, in order; ranks that hold the same share a prediction.

    Empty on one card.
    """
    over = prediction.over
    if over is None:
        return ()
    predicted: list[RankRun] = []
    for group, of_group in zip(over.groups, over.predictions, strict=True):
        figures = of_group.figures()
        start = group.stage * group.count
        predicted += [
            RankRun(rank=start + number, stage=group.stage, predicted=figures)
            for number in range(group.count)
        ]
    return tuple(predicted)


def _cards(device: Device) -> int:
    """This machine's cards that torch reaches as it does ``device``."""
    if device.kind == "cpu":
        return 0
    return sum(other.kind == device.kind for other in local_devices())
