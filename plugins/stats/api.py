# SPDX-License-Identifier: Apache-2.0
"""What neighbours may use of statistics: lists of calls within somebody's rights."""

from plugins.stats.service import Viewer, last, missed, record, record_of_call

__all__ = ["Viewer", "last", "missed", "record", "record_of_call"]
