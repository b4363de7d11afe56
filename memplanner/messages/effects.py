"""What one option would change, told before it is chosen. All sizes are bytes."""

from __future__ import annotations

from typing import Literal

from memplanner.messages.base import Message
from memplanner.messages.estimate import Verdict

EffectKind = Literal["saves", "takes", "same_peak", "same", "numerics_only", "possible", "refused"]
"""``same_peak``: other phases of the step change; ``same``: none does; ``numerics_only``: none
does, and the values change; ``possible``: the plan as it is cannot be carried out, this one can."""
Elsewhere = Literal["gpu", "newer_gpu", "cpu"]


class OptionEffect(Message):
    """The plan with one value changed, beside the plan as it is."""

    key: str
    value: bool | int | float | str
    kind: EffectKind
    allocated_bytes: int | None = None
    """The changed plan's peak; None where it is refused."""
    allocated_difference_bytes: int | None = None
    """Of the peaks, changed less unchanged; None where one of the plans cannot be carried out."""
    device_bytes: int | None = None
    """What the whole device is expected to hold; None where that is not modelled."""
    device_difference_bytes: int | None = None
    time_change: float | None = None
    """Of the time for a token (or sample): 0.07 for 7 % more; None where it is not known."""
    verdict: Verdict | None = None
    """Of the changed plan; None where it is refused, or not known."""
    refused: str = ""
    """Why the changed plan cannot be carried out: a sentence."""
    runs_on: Elsewhere | None = None
    """Where it could be carried out, if not on this device."""
    needs: str = ""
    """Refused: the key and value that would have to be chosen as well, such as
    ``adapters.method=lora``; the figures are of both."""
