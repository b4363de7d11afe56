"""``python -m memplanner_ui [SOURCE]``."""

import sys

from memplanner_ui.application import main

if __name__ == "__main__":
    sys.exit(main())
