"""The estimate that the next edit will most likely ask for, made before it is asked.

Who turns a spin box or drags a slider goes on by as much, and the same way. Between two such edits
the engine has nothing else to do, and the allocator of a card takes the longest to follow.
"""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, NamedTuple

from memplanner.errors import MemplannerError, PlanError
from memplanner.messages import protocol
from memplanner.messages.device import Device
from memplanner.messages.history import CalibrationRecord
from memplanner.plan import Plan
from memplanner.plan.difference import difference

if TYPE_CHECKING:
    from memplanner.estimate import Prediction
    from memplanner.model import Model


class Circumstances(NamedTuple):
    """What an estimate is of, the model aside."""

    plan: Plan
    rank: int | None
    device: Device
    calibration: CalibrationRecord | None


class NextStep:
    """Follows the estimates that are asked for, and makes the one after them in idle moments."""

    def __init__(self) -> None:
        self._last: Circumstances | None = None
        self._likely: Circumstances | None = None
        """What is still to be made, or is being made."""
        self._making = False
        self._made: tuple[Circumstances, Prediction] | None = None

    @property
    def waits(self) -> bool:
        """Whether something is to be made."""
        return self._likely is not None

    def is_making(self, request: protocol.AnyRequest) -> bool:
        """Whether what it asks for is being made: then that is not to be given up."""
        likely = self._likely
        return (
            self._making
            and likely is not None
            and isinstance(request, protocol.MakeEstimate)
            and request.plan == likely.plan
            and request.rank == likely.rank
            and request.device == likely.device.selector
        )

    def taken(self, asked: Circumstances) -> Prediction | None:
        """What has been made for exactly this; None where nothing was."""
        made, self._made = self._made, None
        return made[1] if made is not None and made[0] == asked else None

    def follow(self, asked: Circumstances) -> None:
        """Notes what was asked for, and what would come after it."""
        before, self._last, self._likely = self._last, asked, None
        if before is None or before._replace(plan=asked.plan) != asked:
            return
        plan = following(before.plan, asked.plan)
        if plan is not None:
            self._likely = asked._replace(plan=plan)

    def forget(self) -> None:
        """Another model is open."""
        self._last = self._likely = self._made = None

    def go_on(self, model: Model, interruption: Event) -> None:
        """Makes it, unless it is interrupted; an edit to come may go another way."""
        from memplanner.estimate import estimate
        from memplanner.tape.interruption import Interrupted, interruptible

        likely = self._likely
        if likely is None:
            return
        self._making = True
        try:
            with interruptible(interruption):
                prediction = estimate(
                    model, likely.plan, likely.device,
                    calibration=likely.calibration, rank=likely.rank,
                )  # fmt: skip
                prediction.message()  # its parts are made when they are asked for
            self._made = likely, prediction
        except (Interrupted, MemplannerError):
            pass  # the edit itself will be told what is wrong, if it comes
        finally:
            self._likely, self._making = None, False


def following(before: Plan, after: Plan) -> Plan | None:
    """``after`` with one more step of its training section's only change; None where it has none.

    >>> first = Plan().with_values({"training.batch_size": 4})
    >>> second = first.with_values({"training.batch_size": 6})
    >>> following(first, second).training.batch_size
    8
    """
    changes = difference(before, after)
    if len(changes) != 1 or not changes[0].key.startswith("training."):
        return None
    key, old, new = changes[0]
    if type(old) is not int or type(new) is not int:
        return None
    try:
        return after.with_values({key: 2 * new - old})
    except PlanError:  # past a limit
        return None
