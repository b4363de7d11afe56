"""What ssh wrote when it could not connect, as one sentence with what to do about it."""

from __future__ import annotations

import shlex

from memplanner_ui.engine.place import Place
from memplanner_ui.language import translate

FAILED = 255
"""ssh's own exit code; every other is the far command's."""
_UNKNOWN_NAME = ("could not resolve hostname",)
_CHANGED_KEY = ("remote host identification has changed",)
_UNKNOWN_KEY = ("host key verification failed", "host key is known for")
_REFUSED = ("permission denied", "too many authentication failures")
_UNREACHABLE = (
    "connection refused",
    "connection timed out",
    "operation timed out",
    "no route to host",
    "network is unreachable",
    "connection reset",
    "connection closed",
    "timed out during banner exchange",
)
_WRONG_SETTINGS = (
    "bad configuration option",
    "can't open user config file",
    "bad owner or permissions",
    "unknown option",
    "illegal option",
    "unsupported option",
    "missing argument",
)


def not_connected(place: Place, stderr: str) -> str:
    """Why there is no connection to ``place``'s host."""
    host, by_hand = place.machine, shlex.join(place.shell)
    if _line(stderr, _CHANGED_KEY):
        return translate(
            "Engine",
            "The host key of {host} has changed, so another machine may answer in its "
            "place; find out why, then remove the old key with “ssh-keygen -R {host}” and "
            "confirm the new one with “{by_hand}”.",
        ).format(host=host, by_hand=by_hand)
    if line := _line(stderr, _UNKNOWN_NAME):
        return translate(
            "Engine", "ssh finds no host {host} ({line}); check its name and the network."
        ).format(host=host, line=line)
    if _line(stderr, _UNKNOWN_KEY):
        return translate(
            "Engine",
            "The host key of {host} is not known here; run “{by_hand}” once in a terminal "
            "to confirm it, then connect again.",
        ).format(host=host, by_hand=by_hand)
    if line := _line(stderr, _REFUSED):
        return translate(
            "Engine",
            "{host} lets nobody in without a password or another key ({line}); make "
            "“{by_hand}” work without a question, as ssh-copy-id does, then connect again.",
        ).format(host=host, line=line, by_hand=by_hand)
    if line := _line(stderr, _WRONG_SETTINGS):
        return translate(
            "Engine", "ssh does not take its options or its configuration ({line}); mend them."
        ).format(line=line)
    if line := _line(stderr, _UNREACHABLE):
        return translate(
            "Engine", "{host} cannot be reached ({line}); check that it is on, then connect again."
        ).format(host=host, line=line)
    said = next(
        (line for line in reversed(stderr.splitlines()) if line.strip()),
        translate("Engine", "it said nothing"),
    )
    return translate(
        "Engine", "ssh could not connect to {host} ({said}); try “{by_hand}” in a terminal."
    ).format(host=host, said=said.strip(), by_hand=by_hand)


def _line(stderr: str, marks: tuple[str, ...]) -> str:
    """The last line that has one of the marks, without ssh's own name; empty when none has."""
    for line in reversed(stderr.splitlines()):
        if any(mark in line.lower() for mark in marks):
            return line.strip().removeprefix("ssh: ").rstrip(".")
    return ""
