"""What the window is made of when it comes without torch, and a copy of it.

The files are those of the environment that this runs in. Of Qt only the modules that the window
imports, the plugins it draws through, and the libraries that those are linked against are taken;
what they are linked against beside is the system's.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import Distribution, distribution
from pathlib import Path

from linked import needed
from packaging.requirements import Requirement
from release import build_wheel

DISTRIBUTIONS = (
    "PySide6-Essentials",
    "jinja2",
    "numpy",
    "platformdirs",
    "pydantic",
    "pyqtgraph",
    "ruamel.yaml",
)
"""What the window imports; what these require comes with them."""

QT_MODULES = ("QtCore", "QtGui", "QtWidgets", "QtSvg", "QtOpenGL", "QtOpenGLWidgets")
"""What the window imports, and pyqtgraph with it."""
QT_CODE = ("PySide6/__init__.py", "PySide6/_*.py", "PySide6/support/*.py", "*.dist-info/*")
QT_PLUGINS = (
    "iconengines/libqsvgicon.so",
    "imageformats/libqsvg.so",
    "platforminputcontexts/libcomposeplatforminputcontextplugin.so",
    "platforminputcontexts/libibusplatforminputcontextplugin.so",
    "platforms/libqoffscreen.so",
    "platforms/libqwayland.so",
    "platforms/libqxcb.so",
    "platformthemes/libqgtk3.so",
    "platformthemes/libqxdgdesktopportal.so",
    "wayland-decoration-client/libadwaita.so",
    "wayland-graphics-integration-client/libqt-plugin-wayland-egl.so",
    "wayland-shell-integration/libxdg-shell.so",
    "xcbglintegrations/libqxcb-egl-integration.so",
    "xcbglintegrations/libqxcb-glx-integration.so",
)
"""Below PySide6's folder of plugins."""
OPTIONAL_PLUGINS = ("platformthemes/libqgtk3.so",)
"""Qt does without them where the system has not what they are linked against."""

QT_TRANSLATIONS = ("qtbase_zh_CN.qm",)
"""Below PySide6's folder of translations: those of the languages that the window speaks."""

NOT_TAKEN = (
    "*/__pycache__/*",
    "*.pyi",
    "*.pyx",
    "*.pxd",
    "*/tests/*",
    "numpy/_core/include/*",
    "numpy/_core/lib/*",
    "numpy/f2py/*",
    "numpy/random/lib/*",
    "pydantic/mypy.py",
    "pydantic/v1/mypy.py",
    "pyqtgraph/examples/*",
    "*.dist-info/RECORD",  # it names what is not taken
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
)
"""Files that nothing imports."""


def distributions(without: tuple[str, ...] = ()) -> list[Distribution]:
    """The window's distributions and what they require, by name, but for those named."""
    found: dict[str, Distribution] = {}
    waiting = list(DISTRIBUTIONS)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found or name in without:
            continue
        found[name] = distribution(name)
        for line in found[name].requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return [found[name] for name in sorted(found)]


def qt_files(folder: Path) -> set[Path]:
    """Of PySide6 in ``folder``: what the window loads of it."""
    qt = folder / "Qt"
    waiting = [folder / f"{module}.abi3.so" for module in QT_MODULES]
    waiting += [qt / "plugins" / plugin for plugin in QT_PLUGINS]
    found: set[Path] = set()
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        beside = (folder / name for name in needed(file))
        below = (qt / "lib" / name for name in needed(file))
        waiting += [one for one in (*beside, *below) if one.is_file()]
    return found | {qt / "translations" / name for name in QT_TRANSLATIONS}


def brought_files(without: tuple[str, ...] = ()) -> Iterator[tuple[Path, str]]:
    """Each file of the distributions that the window needs, with its place among the packages."""
    for one in distributions(without):
        of_qt: set[Path] | None = None
        if one.name.lower().startswith("pyside6"):
            of_qt = qt_files(Path(str(one.locate_file("PySide6"))))
        for entry in one.files or ():
            name, path = entry.as_posix(), Path(str(one.locate_file(entry)))
            if name.startswith("..") or any(fnmatch(name, pattern) for pattern in NOT_TAKEN):
                continue
            if of_qt is None or path in of_qt or any(fnmatch(name, code) for code in QT_CODE):
                yield path, name


def copy_brought(folder: Path, without: tuple[str, ...] = ()) -> None:
    """Copies into ``folder`` the distributions that the window needs, but for those named."""
    for path, name in brought_files(without):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def copy_own(folder: Path, installer: str, wheel: Path | None = None) -> None:
    """Puts the program's ``wheel`` into ``folder``, as installed by ``installer``.

    Without a wheel one is built. The engine is among its files: the window brings it to the Python
    it runs in.
    """
    with (
        tempfile.TemporaryDirectory() as scratch,
        zipfile.ZipFile(wheel or build_wheel(Path(scratch))) as archive,
    ):
        archive.extractall(folder)
    (about,) = folder.glob("memplanner-*.dist-info")
    (about / "RECORD").unlink()  # of what pip may change, and this is not pip's
    (about / "INSTALLER").write_text(f"{installer}\n", "utf-8")


def system_libraries(folder: Path) -> set[str]:
    """What the files in ``folder`` need of the system, Qt's optional plugins aside."""
    brought = {path.name for path in folder.rglob("*.so*")}
    plugins = [path for path in folder.rglob("*.so*") if not _is_optional(path)]
    return {name for path in plugins for name in needed(path)} - brought


def _is_optional(path: Path) -> bool:
    return any(path.as_posix().endswith(f"/plugins/{plugin}") for plugin in OPTIONAL_PLUGINS)
