# SPDX-License-Identifier: Apache-2.0
"""The furnished cabinet's customer, whose day it is."""

from tests.web.conftest import furnished, house

__all__ = ["furnished", "house"]
