# SPDX-License-Identifier: Apache-2.0
"""The furnished cabinet's customers, as sources of files."""

from tests.web.conftest import furnished, house

__all__ = ["furnished", "house"]
