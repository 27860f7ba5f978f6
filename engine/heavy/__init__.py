# SPDX-License-Identifier: Apache-2.0
"""Work of more than 5 ms of CPU (password hashes), done in other processes of lower priority so that calls go on."""

from engine.heavy.pool import Heavy, heavily, opened

__all__ = ["Heavy", "heavily", "opened"]
