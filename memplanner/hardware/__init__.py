"""Devices: the card catalogue, this machine's cards through NVML, its memory. Torch-free."""

from memplanner.hardware.catalogue import Card, Throughput, card_of, cards, catalogue, sources
from memplanner.hardware.devices import card_identity, find_device, local_devices
from memplanner.hardware.host import HostMemory, host_device, host_memory

__all__ = [
    "Card",
    "HostMemory",
    "Throughput",
    "card_identity",
    "card_of",
    "cards",
    "catalogue",
    "find_device",
    "host_device",
    "host_memory",
    "local_devices",
    "sources",
]
