"""Several plans estimated side by side, one at a time, while nobody waits for anything else."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from memplanner.errors import MemplannerError
from memplanner.hardware import find_device
from memplanner.messages import protocol
from memplanner.plan import Plan
from memplanner.server.channel import Channel

if TYPE_CHECKING:
    from memplanner.model import Model


class CompareWork:
    """One ``compare_plans``; the model's last estimate is left as it is.

    Raises ``DeviceError`` for a device that is not there.
    """

    def __init__(self, request: protocol.ComparePlans, model: Model, channel: Channel) -> None:
        from memplanner.run.keeping import known_calibration

        self.request = request
        self._model, self._channel = model, channel
        self._device = find_device(request.device)
        self._calibration = known_calibration(self._device)[0]
        self._outcomes: list[protocol.ComparedPlan] = []

    def go_on(self, interruption: Event) -> bool:
        """Estimates one more plan, unless it is interrupted; whether more is to come.

        The answer goes out after the last one.
        """
        from memplanner.tape.interruption import Interrupted, interruptible

        plans = self.request.plans
        if len(self._outcomes) < len(plans):
            try:
                with interruptible(interruption):
                    outcome = self._outcome(plans[len(self._outcomes)])
            except Interrupted:
                return True
            self._outcomes.append(outcome)
        if len(self._outcomes) < len(plans):
            return True
        answer = protocol.Compared(id=self.request.id, outcomes=tuple(self._outcomes))
        self._channel.send(answer)
        return False

    def _outcome(self, plan: Plan) -> protocol.ComparedPlan:
        from memplanner.estimate import estimate

        try:
            made = estimate(self._model, plan, self._device, calibration=self._calibration)
            return protocol.ComparedPlan(estimate=made.message())
        except MemplannerError as error:
            return protocol.ComparedPlan(sentence=str(error).removeprefix("the plan: "))

    def supersede(self) -> None:
        """Ends the request without an answer."""
        self._channel.send(protocol.Superseded(id=self.request.id))
