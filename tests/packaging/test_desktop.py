"""The desktop's files, by the validators of freedesktop.org and in a user's folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from tests.packaging.conftest import ROOT, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="for desktops of freedesktop.org")

FILES = {
    "a.plan.yaml": "schema: 3\ntraining:\n",
    "model.safetensors": "x",
    "model.gguf": "GGUF",
    "without an ending": "GGUF",
    "another.yaml": "repos:\n",
}
KINDS = """
import sys
from PySide6.QtCore import QMimeDatabase
for file in sys.argv[1:]:
    print(QMimeDatabase().mimeTypeForFile(file).name())
"""
LAY_OUT = "import sys, pathlib, desktop; desktop.lay_out_for_desktop(pathlib.Path(sys.argv[1]))"


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's ``~/.local/share`` that the files have been put into."""
    folder = tmp_path_factory.mktemp("share")
    done = subprocess.run(
        [sys.executable, "-c", LAY_OUT, folder], cwd=ROOT / "packaging", check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def test_the_validators_have_no_objection(share: Path) -> None:
    run(["desktop-file-validate", share / "applications" / "memplanner.desktop"])
    run(["appstreamcli", "validate", "--no-net", share / "metainfo" / "memplanner.metainfo.xml"])


def test_files_are_known_by_their_types_and_open_in_the_program(
    share: Path, tmp_path: Path
) -> None:
    environment = {
        **os.environ, "XDG_DATA_HOME": str(share), "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "XDG_CURRENT_DESKTOP": "", "DE": "",
    }  # fmt: skip

    def said(*command: str | Path) -> str:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout.strip()

    said("update-mime-database", share / "mime")
    said("update-desktop-database", share / "applications")
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    kinds = said(sys.executable, "-c", KINDS, *(tmp_path / name for name in FILES)).split()
    assert kinds[:4] == [
        "application/vnd.memplanner.plan+yaml",
        "application/x-safetensors",
        "application/x-gguf",
        "application/x-gguf",
    ]
    assert kinds[4] in {"application/x-yaml", "application/yaml"}  # the system's name for it
    for kind in kinds[:3]:
        assert said("xdg-mime", "query", "default", kind) == "memplanner.desktop"


def test_the_icon_is_there_in_every_size_and_drawn(share: Path) -> None:
    folder = share / "icons" / "hicolor"
    assert (folder / "scalable" / "apps" / "memplanner.svg").is_file()
    sizes = set()
    for file in folder.glob("*/apps/memplanner.png"):
        image = QImage(str(file))
        assert file.parents[1].name == f"{image.width()}x{image.height()}"
        middle = image.pixelColor(image.width() // 2, image.height() // 2)
        assert middle.alpha() == 255, file
        sizes.add(image.width())
    assert sizes >= {16, 24, 32, 48, 64, 128, 256, 512}
