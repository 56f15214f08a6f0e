"""`python -m jambridge.hub`: the hub as a process of its own."""

import sys

from jambridge.hub.process import main

if __name__ == "__main__":
    sys.exit(main())
