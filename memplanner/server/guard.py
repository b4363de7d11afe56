"""Errors become answers: the engine lives on."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

from memplanner.errors import MemplannerError, TrustNeeded, package_missing
from memplanner.masking import mask
from memplanner.messages.protocol import AnyRequest, Failure
from memplanner.server.channel import Channel


def guarded(request: AnyRequest, channel: Channel, answer: Callable[[], object]) -> bool:
    """Calls ``answer``; a user's error is answered with its sentence, a defect with ours.

    True when the request needs no further answer.
    """
    try:
        return bool(answer())
    except MemplannerError as error:
        channel.send(_failure(request, error))
    except BaseException as error:  # noqa: BLE001  (user code may even exit: the engine lives on)
        if missing := package_missing(error):
            channel.send(_failure(request, missing))
            return True
        traceback.print_exc(file=sys.stderr)
        said = mask(str(error))[:200]
        sentence = (
            f"memplanner failed in {request.kind} ({type(error).__name__}: {said}); "
            "the engine's log has the details."
        )
        shown = str(MemplannerError(sentence))
        channel.send(Failure(id=request.id, error="Defect", sentence=shown))
    return True


def _failure(request: AnyRequest, error: MemplannerError) -> Failure:
    return Failure(
        id=request.id,
        error=type(error).__name__,
        sentence=str(error),
        trust_needed=isinstance(error, TrustNeeded),
    )


def logged(work: Callable[[], object]) -> None:
    """Calls ``work``, for which nobody waits: what it raises goes to the log alone."""
    try:
        work()
    except BaseException:  # noqa: BLE001  (as above)
        traceback.print_exc(file=sys.stderr)
