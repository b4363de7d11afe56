"""The libraries of the system that Qt is linked against, and whose packages bring them.

Qt ends the process when one is missing; ``why_no_window`` says it before, in one sentence. Only
what comes with Python is imported: it runs before there is an environment, too.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple


class Packages(NamedTuple):
    """What brings a library, by the distribution's names."""

    debian: str
    fedora: str
    arch: str
    suse: str


LIBRARIES = {
    "libEGL.so.1": Packages("libegl1", "libglvnd-egl", "libglvnd", "libglvnd"),
    "libGL.so.1": Packages("libgl1", "libglvnd-glx", "libglvnd", "libglvnd"),
    "libX11-xcb.so.1": Packages("libx11-xcb1", "libX11-xcb", "libx11", "libX11-xcb1"),
    "libX11.so.6": Packages("libx11-6", "libX11", "libx11", "libX11-6"),
    "libdbus-1.so.3": Packages("libdbus-1-3", "dbus-libs", "dbus", "libdbus-1-3"),
    "libfontconfig.so.1": Packages("libfontconfig1", "fontconfig", "fontconfig", "fontconfig"),
    "libfreetype.so.6": Packages("libfreetype6", "freetype", "freetype2", "libfreetype6"),
    "libglib-2.0.so.0": Packages("libglib2.0-0", "glib2", "glib2", "libglib-2_0-0"),
    "libgthread-2.0.so.0": Packages("libglib2.0-0", "glib2", "glib2", "libgthread-2_0-0"),
    "libxcb-cursor.so.0": Packages(
        "libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor", "libxcb-cursor0"
    ),
    "libxcb-glx.so.0": Packages("libxcb-glx0", "libxcb", "libxcb", "libxcb-glx0"),
    "libxcb-icccm.so.4": Packages("libxcb-icccm4", "xcb-util-wm", "xcb-util-wm", "libxcb-icccm4"),
    "libxcb-image.so.0": Packages(
        "libxcb-image0", "xcb-util-image", "xcb-util-image", "libxcb-image0"
    ),
    "libxcb-keysyms.so.1": Packages(
        "libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms", "libxcb-keysyms1"
    ),
    "libxcb-randr.so.0": Packages("libxcb-randr0", "libxcb", "libxcb", "libxcb-randr0"),
    "libxcb-render-util.so.0": Packages(
        "libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil", "libxcb-render-util0"
    ),
    "libxcb-render.so.0": Packages("libxcb-render0", "libxcb", "libxcb", "libxcb-render0"),
    "libxcb-shape.so.0": Packages("libxcb-shape0", "libxcb", "libxcb", "libxcb-shape0"),
    "libxcb-shm.so.0": Packages("libxcb-shm0", "libxcb", "libxcb", "libxcb-shm0"),
    "libxcb-sync.so.1": Packages("libxcb-sync1", "libxcb", "libxcb", "libxcb-sync1"),
    "libxcb-util.so.1": Packages("libxcb-util1", "xcb-util", "xcb-util", "libxcb-util1"),
    "libxcb-xfixes.so.0": Packages("libxcb-xfixes0", "libxcb", "libxcb", "libxcb-xfixes0"),
    "libxcb-xkb.so.1": Packages("libxcb-xkb1", "libxcb", "libxcb", "libxcb-xkb1"),
    "libxcb.so.1": Packages("libxcb1", "libxcb", "libxcb", "libxcb1"),
    "libxkbcommon-x11.so.0": Packages(
        "libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11", "libxkbcommon-x11-0"
    ),
    "libxkbcommon.so.0": Packages("libxkbcommon0", "libxkbcommon", "libxkbcommon", "libxkbcommon0"),
    "libz.so.1": Packages("zlib1g", "zlib", "zlib", "libz1"),
    "libzstd.so.1": Packages("libzstd1", "libzstd", "zstd", "libzstd1"),
}
"""What Qt itself and its X11 platform need, by the name that the dynamic linker looks for."""

WAYLAND_LIBRARIES = {
    "libwayland-client.so.0": Packages(
        "libwayland-client0", "libwayland-client", "wayland", "libwayland-client0"
    ),
    "libwayland-cursor.so.0": Packages(
        "libwayland-cursor0", "libwayland-cursor", "wayland", "libwayland-cursor0"
    ),
    "libwayland-egl.so.1": Packages(
        "libwayland-egl1", "libwayland-egl", "wayland", "libwayland-egl1"
    ),
}
"""What its Wayland platform needs beside."""

FAMILIES = {
    "debian": ("debian", ("sudo", "apt-get", "install")),
    "ubuntu": ("debian", ("sudo", "apt-get", "install")),
    "fedora": ("fedora", ("sudo", "dnf", "install")),
    "rhel": ("fedora", ("sudo", "dnf", "install")),
    "centos": ("fedora", ("sudo", "dnf", "install")),
    "arch": ("arch", ("sudo", "pacman", "-S")),
    "suse": ("suse", ("sudo", "zypper", "install")),
    "opensuse": ("suse", ("sudo", "zypper", "install")),
}
"""A distribution's identifier: whose names its packages have, and what installs them."""

NOT_FOUND = re.compile(r"(\S+): cannot open shared object file")


def loads(library: str) -> bool:
    """Whether the dynamic linker finds the library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_libraries(needed: Iterable[str] = LIBRARIES) -> list[str]:
    """Those of ``needed`` that the dynamic linker does not find."""
    return [library for library in needed if not loads(library)]


def why_no_window(environment: Mapping[str, str] = os.environ) -> str:
    """Why Qt would end the process instead of opening a window, as one sentence; empty if not.

    What Qt would load next is loaded here first, so on a complete system nothing is done twice.
    """
    if sys.platform != "linux":
        return ""
    found = find_spec("PySide6")
    if found is None or not found.submodule_search_locations:
        return (
            f"{sys.executable} has no PySide6, which draws the window; install it there with "
            "“pip install PySide6-Essentials”."
        )
    try:
        import_module("PySide6.QtWidgets")
    except ImportError as error:
        return _sentence(str(error), LIBRARIES)
    folder = Path(next(iter(found.submodule_search_locations)), "Qt", "plugins", "platforms")
    return why_no_platform(folder, platforms(environment))


def platforms(environment: Mapping[str, str]) -> list[str]:
    """The platforms that Qt tries, in its order."""
    named = environment.get("QT_QPA_PLATFORM")
    if named:
        return [one.partition(":")[0] for one in named.split(";")]
    wayland = environment.get("WAYLAND_DISPLAY")
    return (["wayland"] if wayland else []) + (["xcb"] if environment.get("DISPLAY") else [])


def why_no_platform(folder: Path, names: Iterable[str]) -> str:
    """Why none of Qt's platforms in ``folder`` can be loaded; empty where one can be."""
    why = ""
    needed = LIBRARIES
    for name in names:
        if name == "wayland":
            needed = LIBRARIES | WAYLAND_LIBRARIES
        plugin = folder / f"libq{name}.so"
        if not plugin.is_file():
            return ""  # one of the user's own: Qt knows where
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            why = _sentence(str(error), needed)
        else:
            return ""
    return why


def install_command(missing: Iterable[str], identifiers: Iterable[str]) -> str:
    """What installs the libraries on a distribution that is, or is like, one of ``identifiers``.

    Empty where the distribution or one of the libraries is not known.
    """
    known = LIBRARIES | WAYLAND_LIBRARIES
    names = list(missing)
    for identifier in identifiers:
        family, command = FAMILIES.get(identifier.partition("-")[0], ("", ()))
        if family and all(name in known for name in names):
            packages = {getattr(known[name], family) for name in names}
            return shlex.join([*command, *sorted(packages)])
    return ""


def this_distribution() -> list[str]:
    """The identifiers of this system's distribution, its own first, then what it is like."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return []
    return [release.get("ID", ""), *release.get("ID_LIKE", "").split()]


def _sentence(said: str, needed: Iterable[str]) -> str:
    """What the dynamic linker ``said`` of the first one missing, with the others and the remedy."""
    named = NOT_FOUND.search(said)
    if named is None:
        return f"Qt cannot be loaded: {said.splitlines()[0]}."
    missing = [named[1], *(one for one in missing_libraries(needed) if one != named[1])]
    command = install_command(missing, this_distribution())
    remedy = (
        f"install what is missing with “{command}”"
        if command
        else "install the packages of your distribution that bring it"
    )
    return f"The window needs {', '.join(missing)} of the system; {remedy}."
