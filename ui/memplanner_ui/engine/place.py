"""Where an engine runs: in which Python, in this machine or in another one over ssh."""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from memplanner_ui.engine.own_python import is_alone, own_python
from memplanner_ui.language import translate

SSH = "ssh"
BATCH = ("-T", "-x", "-o", "BatchMode=yes")
"""Nothing is asked: there is no terminal to answer from."""
DEFAULTS = tuple(
    word
    for option in (
        "Compression=yes",  # 368 KB of an 8B model's estimate become 32
        "ConnectTimeout=15",
        "ServerAliveInterval=10",  # a silent link is given up after half a minute
        "ServerAliveCountMax=3",
        "ClearAllForwardings=yes",
        "RemoteCommand=none",
    )
    for word in ("-o", option)
)
FAR_SHELL = '"$@"; exit $?'
"""The far shell stays: it tells by its own exit which signal ended the engine, which ssh cannot."""


class Place(BaseModel):
    """A Python in this machine, or on another one. As it is remembered, too."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    python: str = ""
    """A path, or a name that the far shell finds; empty: this program’s own, there ``python3``."""
    host: str = ""
    """As ssh takes it: a name of its configuration, ``user@name`` or ``ssh://user@name:port``."""
    options: tuple[str, ...] = ()
    """What else ssh is given, such as ``-p 2222``."""
    brought: bool = False
    """The window brings its own engine along, as that Python has none of the same version."""

    @property
    def remote(self) -> bool:
        """Whether it is on another machine."""
        return bool(self.host)

    @property
    def interpreter(self) -> str:
        """What is run there."""
        return self.python or ("python3" if self.remote else own_python())

    @property
    def machine(self) -> str:
        """The other machine's name, without the user's and the port; empty for this one."""
        if self.host.startswith("ssh://"):
            return urlsplit(self.host).hostname or self.host
        return self.host.rpartition("@")[2]

    @property
    def where(self) -> str:
        """The machine as a part of a sentence."""
        return (
            translate("Engine", "on {machine}").format(machine=self.machine)
            if self.remote
            else translate("Engine", "in this machine")
        )

    @property
    def whose(self) -> str:
        """The machine before what is its own."""
        if self.remote:
            return translate("Engine", "{machine}’s").format(machine=self.machine)
        return translate("Engine", "this machine’s")

    @property
    def title(self) -> str:
        """What it is called in a list or a sentence."""
        if not self.remote:
            return self.interpreter
        return (
            translate("Engine", "{python} on {machine}").format(
                python=self.python, machine=self.machine
            )
            if self.python
            else self.machine
        )

    def same_as(self, other: Place) -> bool:
        """Whether both mean the same Python, whatever engine runs in it."""
        return self.model_copy(update={"brought": other.brought}) == other

    def command(self, *arguments: str) -> list[str]:
        """The command, word by word and for no shell here, that runs its Python."""
        if not self.remote:
            return [self.interpreter, *arguments]
        given = [_expanded(word) for word in self.options]
        far = shlex.join(["sh", "-c", FAR_SHELL, "memplanner", self._far_python, *arguments])
        return [SSH, *BATCH, *given, *DEFAULTS, "--", self.host, far]

    def shown_command(self, *arguments: str) -> str:
        """The same as a user would type it."""
        there = shlex.join([self.interpreter, *arguments])
        return f"{shlex.join(self.shell)} {shlex.quote(there)}" if self.remote else there

    @property
    def shell(self) -> list[str]:
        """What a user types to get there."""
        return [SSH, *self.options, self.host]

    @property
    def _far_python(self) -> str:
        """Its path for a quoted word: commands start in the home folder."""
        return f"./{self.python[2:]}" if self.python.startswith("~/") else self.interpreter


HERE = Place(brought=is_alone())
"""This program’s own Python; of a window that came alone, the one that is at hand."""


def wrong_host(host: str) -> str:
    """Why ssh is not asked for ``host``, as one sentence; empty when it may be."""
    if not host:
        return translate("Engine", "A host is missing; name one as ssh knows it.")
    if host.startswith("-"):
        return translate(
            "Engine", "“{host}” begins with a dash, which ssh would read as an option; name a host."
        ).format(host=host)
    if any(letter.isspace() or not letter.isprintable() for letter in host):
        return translate(
            "Engine", "“{host}” has a space in it; give a port or a key under the options for ssh."
        ).format(host=host)
    return ""


def _expanded(word: str) -> str:
    return str(Path(word).expanduser()) if word.startswith("~/") else word
