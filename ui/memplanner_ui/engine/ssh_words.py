"""What ssh wrote when it could not connect, as one sentence with what to do about it."""

from __future__ import annotations

import shlex

from memplanner_ui.engine.place import Place

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
        return (
            f"The host key of {host} has changed, so another machine may answer in its place; "
            f"find out why, then remove the old key with “ssh-keygen -R {host}” and "
            f"confirm the new one with “{by_hand}”."
        )
    if line := _line(stderr, _UNKNOWN_NAME):
        return f"ssh finds no host {host} ({line}); check its name and the network."
    if _line(stderr, _UNKNOWN_KEY):
        return (
            f"The host key of {host} is not known here; run “{by_hand}” once in a terminal "
            "to confirm it, then connect again."
        )
    if line := _line(stderr, _REFUSED):
        return (
            f"{host} lets nobody in without a password or another key ({line}); make “{by_hand}” "
            "work without a question, as ssh-copy-id does, then connect again."
        )
    if line := _line(stderr, _WRONG_SETTINGS):
        return f"ssh does not take its options or its configuration ({line}); mend them."
    if line := _line(stderr, _UNREACHABLE):
        return f"{host} cannot be reached ({line}); check that it is on, then connect again."
    said = next((line for line in reversed(stderr.splitlines()) if line.strip()), "it said nothing")
    return f"ssh could not connect to {host} ({said.strip()}); try “{by_hand}” in a terminal."


def _line(stderr: str, marks: tuple[str, ...]) -> str:
    """The last line that has one of the marks, without ssh's own name; empty when none has."""
    for line in reversed(stderr.splitlines()):
        if any(mark in line.lower() for mark in marks):
            return line.strip().removeprefix("ssh: ").rstrip(".")
    return ""
