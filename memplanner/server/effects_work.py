"""The effects of a plan's options, computed while nobody waits for anything else."""

from __future__ import annotations

from collections import deque
from functools import partial
from threading import Event
from time import perf_counter
from typing import TYPE_CHECKING

from memplanner.hardware import find_device
from memplanner.messages import protocol
from memplanner.plan import Plan
from memplanner.server.channel import Channel
from memplanner.server.guard import logged

if TYPE_CHECKING:
    from memplanner.model import Model

LONGEST_SECONDS = 60.0
"""Of computing for one plan: a model that has to be run for real would keep the CPU for minutes."""


class EffectsWork:
    """One ``list_effects``, answered effect by effect."""

    def __init__(self, request: protocol.ListEffects, model: Model, channel: Channel) -> None:
        from memplanner.run.keeping import known_calibration
        from memplanner.search.effects import Effects

        self.request = request
        self._channel = channel
        device = find_device(request.device)
        self._effects = Effects(
            model,
            request.plan,
            device,
            first=request.first,
            calibration=known_calibration(device)[0],
        )
        self._waiting = deque(self._effects.offers)
        self._seconds = 0.0
        self._told = 0

    def is_of(self, plan: Plan, device: str) -> bool:
        """Whether the effects are those of this plan on this device."""
        return self.request.plan == plan and self.request.device == device

    def go_on(self, interruption: Event) -> bool:
        """Computes and tells one more effect, unless it is interrupted; whether more are to come.

        The end is told, too. An option that fails by a defect has none, and the log says so.
        """
        if self._waiting and self._seconds < LONGEST_SECONDS:
            started = perf_counter()
            logged(partial(self._tell, interruption))
            self._seconds += perf_counter() - started
            return True
        self._channel.send(
            protocol.EffectsListed(
                id=self.request.id,
                count=self._told,
                complete=self._told == len(self._effects.offers),
                seconds=self._seconds,
            )
        )
        return False

    def _tell(self, interruption: Event) -> None:
        from memplanner.tape.interruption import Interrupted, interruptible

        offer = self._waiting.popleft()
        try:
            with interruptible(interruption):
                effect = self._effects.of(offer)
        except Interrupted:
            self._waiting.appendleft(offer)
            return
        self._told += 1
        self._channel.send(protocol.Effect(id=self.request.id, effect=effect))

    def supersede(self) -> None:
        """Ends the request without the rest."""
        self._channel.send(protocol.Superseded(id=self.request.id))
