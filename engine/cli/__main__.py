# SPDX-License-Identifier: Apache-2.0
"""`python -m engine.cli` = `vats`."""

import sys

from engine.cli import main

if __name__ == "__main__":
    sys.exit(main())
