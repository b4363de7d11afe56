"""``python -m memplanner_ui [SOURCE]``."""

import sys

from memplanner_ui.start import main

if __name__ == "__main__":
    sys.exit(main())
