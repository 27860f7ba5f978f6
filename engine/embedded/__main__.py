# SPDX-License-Identifier: Apache-2.0
"""`python -m engine.embedded --config FILE.json`."""

import sys

from engine.embedded.process import main

sys.exit(main())
