"""Requests that need no torch: answered at once, while the engine warms up."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from memplanner import __version__
from memplanner.hardware import catalogue, host_memory, local_devices
from memplanner.importing import read_trainer
from memplanner.messages import protocol
from memplanner.messages.protocol import AnyRequest
from memplanner.model.presets import presets
from memplanner.server.channel import Channel
from memplanner.server.history_work import tell_past_runs


def answer_light(request: AnyRequest, channel: Channel) -> bool:
    """Answers what needs no torch; False for every other request."""
    if isinstance(request, protocol.Hello):
        channel.send(_engine_info(request))
    elif isinstance(request, protocol.ListDevices):
        devices = (*local_devices(), *catalogue())
        channel.send(protocol.Devices(id=request.id, devices=devices))
    elif isinstance(request, protocol.ListPresets):
        channel.send(protocol.Presets(id=request.id, presets=presets()))
    elif isinstance(request, protocol.ImportPlan):
        channel.send(_imported(request))
    elif isinstance(request, protocol.ListRuns):
        tell_past_runs(request, channel)
    else:
        return False
    return True


def _engine_info(request: protocol.Hello) -> protocol.EngineInfo:
    host = host_memory()
    return protocol.EngineInfo(
        id=request.id,
        version=__version__,
        python=platform.python_version(),
        interpreter=sys.executable,
        process_id=os.getpid(),
        torch=_installed("torch"),
        transformers=_installed("transformers"),
        host_memory_bytes=host.total_bytes,
        host_free_bytes=host.available_bytes,
        machine=platform.node(),
    )


def _imported(request: protocol.ImportPlan) -> protocol.Imported:
    read = read_trainer(request.path, request.plan)
    return protocol.Imported(
        id=request.id,
        title=read.title,
        plan=read.plan,
        model=read.model,
        source=read.source,
        no_place=read.no_place,
        aside=read.aside,
        notes=read.notes,
    )


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
