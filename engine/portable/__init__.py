# SPDX-License-Identifier: Apache-2.0
"""An account's configuration as one file, out of one installation and into another (docs/configuration-file.md)."""

from engine.portable.arriving import take_in
from engine.portable.document import FORMAT, MOST_BYTES, VERSION
from engine.portable.leaving import export

__all__ = ["FORMAT", "MOST_BYTES", "VERSION", "export", "take_in"]
