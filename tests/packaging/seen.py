"""Whether a program has drawn an estimate: the colour of the activations is on the screen.

    python -m tests.packaging.seen COLOR SECONDS FILE

Run beside the program, on the same display; prints whether it was seen in time. The screen as it
was last is in FILE.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from PySide6.QtGui import QColor, QGuiApplication, QImage

ENOUGH = 1000
"""Pixels; an icon of the same colour has fewer."""
SHOWN = np.uint32(0x00F8FCF8)
"""What a display of 16 bits keeps of a colour."""


def main(color: str, seconds: float, file: str) -> None:
    application = QGuiApplication([])
    wanted = np.uint32(QColor(color).rgb()) & SHOWN
    until = time.monotonic() + seconds
    seen = False
    while not seen and time.monotonic() < until:
        time.sleep(1)
        image = application.primaryScreen().grabWindow(0).toImage()
        image = image.convertToFormat(QImage.Format.Format_RGB32)
        pixels = np.frombuffer(image.constBits(), np.uint32) & SHOWN
        seen = int((pixels == wanted).sum()) >= ENOUGH
        image.save(file)
    print("seen" if seen else "not seen")


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
