"""Builds the Debian package of the window without torch.

    python packaging/deb.py [--output FOLDER] [--wheel FILE]

Needs no root. What Debian has not, or not new enough, is brought along in /usr/lib/memplanner,
copied from the environment that this runs in: the package is for the Python that it is built with.
The same environment builds the same package again, to the byte.
"""

from __future__ import annotations

import argparse
import compileall
import gzip
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from desktop import lay_out_for_desktop
from release import ROOT, epoch, project, requirement_of
from window_alone import copy_brought, copy_own, distributions, system_libraries

sys.path.append(str(ROOT / "ui"))
from memplanner_ui.system_libraries import LIBRARIES, WAYLAND_LIBRARIES

FROM_DEBIAN = {"jinja2": "python3-jinja2", "markupsafe": "python3-markupsafe"}
"""Of what the window imports, what Debian has had at a version we take since Debian 12."""
OF_EVERY_SYSTEM = {"libstdc++.so.6": "libstdc++6", "libgcc_s.so.1": "libgcc-s1"}
OF_LIBC = ("ld-linux", "libc.so", "libdl.so", "libm.so", "libpthread.so", "librt.so")
OLDEST_LIBC = "2.34"
"""What Qt's own builds are linked against (manylinux_2_34)."""
MEBIBYTE = 1024**2


def main() -> int:
    """Builds it; the exit code."""
    parser = argparse.ArgumentParser(description="Build the Debian package of the window.")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", metavar="FOLDER")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="built before; else it is now")
    options = parser.parse_args()
    package = build(options.output, options.wheel)
    print(f"{package} ({package.stat().st_size / MEBIBYTE:.1f} MiB)")
    return 0


def build(output: Path, wheel: Path | None = None) -> Path:
    """Builds the package in ``output``; its path."""
    output.mkdir(parents=True, exist_ok=True)
    architecture = _said_by("dpkg", "--print-architecture")
    package = output / f"memplanner_{project()['version']}_{architecture}.deb"
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "memplanner"
        _lay_out(root, wheel)
        control = root / "DEBIAN" / "control"
        control.parent.mkdir()
        control.write_text(_control(root, architecture), "utf-8")
        _settle(root)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z9", "--build", root, package],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch())},
            stdout=subprocess.DEVNULL,
            check=True,
        )
    return package


def _lay_out(root: Path, wheel: Path | None) -> None:
    """The files of the package below ``root``."""
    packages = root / "usr" / "lib" / "memplanner"
    copy_brought(packages, tuple(FROM_DEBIAN))
    copy_own(packages, "dpkg", wheel)
    compileall.compile_dir(
        packages,
        quiet=1,
        stripdir=str(root),
        prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    command = root / "usr" / "bin" / "memplanner"
    command.parent.mkdir()
    shutil.copyfile(ROOT / "packaging" / "start.py", command)
    lay_out_for_desktop(root / "usr" / "share")
    about = root / "usr" / "share" / "doc" / "memplanner"
    about.mkdir(parents=True)
    (about / "copyright").write_text(_copyright(), "utf-8")
    (about / "changelog.gz").write_bytes(
        gzip.compress((ROOT / "CHANGELOG.md").read_bytes(), mtime=0)
    )


def _control(root: Path, architecture: str) -> str:
    """The package's description (Debian Policy, chapter 5)."""
    major, minor = sys.version_info[:2]
    needed = system_libraries(root)
    depends = [
        f"python3 (>= {major}.{minor})",
        f"python3 (<< {major}.{minor + 1})",
        f"python3-jinja2 (>= {requirement_of('jinja2').removeprefix('>=')})",
        f"libc6 (>= {OLDEST_LIBC})",
        *sorted({_package_of(name) for name in needed if _is_depended_on(name)}),
    ]
    recommends = ["openssh-client", *sorted(one.debian for one in WAYLAND_LIBRARIES.values())]
    size_kib = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) // 1024
    return f"""\
Package: memplanner
Version: {project()["version"]}
Architecture: {architecture}
Maintainer: The memplanner maintainers
Installed-Size: {size_kib}
Depends: {", ".join(depends)}
Recommends: {", ".join(recommends)}
Suggests: python3-venv
Section: science
Priority: optional
Description: plan the memory that training a model takes
 memplanner records one training step of a model without its weights, and shows
 what every layer takes of the device's memory and what each change would save.
 .
 This is the window alone. Its engine runs in a Python of yours that has torch,
 on this machine or over ssh on another one.
"""


def _is_depended_on(library: str) -> bool:
    return not library.startswith(OF_LIBC) and library not in WAYLAND_LIBRARIES


def _package_of(library: str) -> str:
    return OF_EVERY_SYSTEM.get(library) or LIBRARIES[library].debian


def _copyright() -> str:
    """The license, and those of what is brought along."""
    lines = [f"memplanner is licensed under {project()['license']}, which follows.", ""]
    lines.append("Brought along in /usr/lib/memplanner, each with its license beside it:")
    for one in distributions(tuple(FROM_DEBIAN)):
        said = one.metadata.get("License-Expression") or one.metadata.get("License") or ""
        words = said.splitlines()[0] if said else "see its own files"
        lines.append(f"  {one.name} {one.version}: {words}")
    return "\n".join([*lines, "", (ROOT / "LICENSE").read_text("utf-8")])


def _settle(root: Path) -> None:
    """Gives every file the rights and the date that it is to have, whoever builds it."""
    for path in (root, *root.rglob("*")):
        started = path.parent == root / "usr" / "bin"
        path.chmod(0o755 if path.is_dir() or started else 0o644)
        os.utime(path, (epoch(), epoch()))


def _said_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
