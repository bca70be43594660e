"""``python -m mammoscope`` is the command ``mammoscope``."""

import sys

from mammoscope.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
