"""Devices by the names that people type."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memplanner.errors import DeviceError
from memplanner.hardware.catalogue import cards
from memplanner.hardware.host import host_device
from memplanner.hardware.names import match
from memplanner.hardware.nvml import identity, probe
from memplanner.messages.device import Device

_CUDA = re.compile(r"(?:cuda|gpu)(?::(\d+))?")
_MOST_NAMED = 4


def local_devices() -> tuple[Device, ...]:
    """This machine's devices: its CUDA cards in CUDA's order, then its CPU."""
    return (*probe().devices, host_device())


def card_identity(device: Device) -> str:
    """What the history knows ``device`` by: a hash of a local card's UUID, else the name."""
    if device.kind == "cuda" and device.local and device.index is not None:
        return identity(device.index) or device.name
    return device.name


def find_device(name: str) -> Device:
    """The device that ``name`` means, in any case and spelling.

    ``cpu`` is this machine's CPU, ``auto`` its first CUDA card or else its CPU, ``cuda`` and
    ``cuda:1`` one of its cards; the full name that a card in this machine reports is that card.
    Any other name is looked up in the catalogue. Raises ``DeviceError`` when the device is
    unknown, or when several fit the name equally well.
    """
    asked = " ".join(name.lower().split())
    if not asked:
        raise DeviceError("No device is named; name one, such as cpu, auto or H100 80GB.")
    if asked == "cpu":
        return host_device()
    local = probe().devices
    if asked == "auto":
        return local[0] if local else host_device()
    if (number := _CUDA.fullmatch(asked)) is not None:
        return _local_card(local, int(number[1] or 0))
    for device in local:
        if device.name.lower() == asked:
            return device
    return _catalogue_card(name.strip())


def _local_card(local: Sequence[Device], index: int) -> Device:
    for device in local:
        if device.index == index:
            return device
    if not local:
        raise DeviceError(
            "This machine has no CUDA card that its driver reports; choose cpu, or name a card "
            "to plan for, such as H100 80GB."
        )
    there = _listed([device.selector for device in local], "and")
    raise DeviceError(f"This machine has no card cuda:{index}; choose one of {there}.")


def _catalogue_card(name: str) -> Device:
    by_name = {card.name: card for card in cards()}
    result = match(name, {card.name: card.spellings for card in by_name.values()})
    if len(result.found) == 1:
        return by_name[result.found[0]].device
    if result.found:
        raise DeviceError(f"“{name}” can be {_listed(result.found, 'or')}; name one of them.")
    if result.near:
        raise DeviceError(
            f"“{name}” is no known device; the nearest is {_listed(result.near, 'or')}."
        )
    raise DeviceError(
        f"“{name}” is no known device; choose cpu, auto or a card that “memplanner devices” lists."
    )


def _listed(names: Sequence[str], last: str) -> str:
    """Names as a sentence lists them; past some, only how many more there are."""
    shown = list(names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        shown.append(f"{len(names) - _MOST_NAMED} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} {last} {shown[-1]}"
