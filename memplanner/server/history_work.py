"""Past runs for the window: read from the history's file, which takes no torch."""

from __future__ import annotations

from functools import partial
from threading import Thread

from memplanner.hardware import card_identity, find_device, local_devices
from memplanner.history.kept import kept_runs
from memplanner.messages import protocol
from memplanner.server.channel import Channel
from memplanner.server.guard import guarded


def tell_past_runs(request: protocol.ListRuns, channel: Channel) -> None:
    """Answers in a thread of its own: hundreds of runs take a while, and other requests go on."""
    answer = partial(_answer, request, channel)
    Thread(target=guarded, args=(request, channel, answer), name="history", daemon=True).start()


def _answer(request: protocol.ListRuns, channel: Channel) -> bool:
    channel.send(past_runs(request))
    return True


def past_runs(request: protocol.ListRuns) -> protocol.Runs:
    """What is kept of runs. Raises ``DeviceError`` and ``HistoryError``."""
    card = None if request.device is None else card_identity(find_device(request.device))
    found = kept_runs(card, request.limit)
    return protocol.Runs(
        id=request.id,
        runs=found.runs,
        total=found.total,
        unreadable=found.unreadable,
        notice=found.notice,
        cards={device.selector: card_identity(device) for device in local_devices()},
    )
