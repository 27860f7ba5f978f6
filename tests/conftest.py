# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every test may take."""

from tests.databases import database, database_settings, postgres

__all__ = ["database", "database_settings", "postgres"]

pytest_plugins = ["tests.feature_report", "tests.require_all"]
