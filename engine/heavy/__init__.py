# SPDX-License-Identifier: Apache-2.0
"""Work of more than 5 ms of CPU (password hashes, charts, spreadsheets, sound), done in other processes so that calls go on."""

from engine.heavy.pool import Heavy

__all__ = ["Heavy"]
