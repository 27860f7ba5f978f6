# SPDX-License-Identifier: Apache-2.0
"""Fixtures that every test may take."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, settings

from engine.db import secrets
from engine.settings import Core, Settings
from tests.databases import database, database_settings, postgres

__all__ = ["database", "database_settings", "postgres"]

# how long an example takes says more of the machine than of the code
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

pytest_plugins = ["tests.feature_report", "tests.require_all"]


@pytest.fixture(scope="session", autouse=True)
def installation_key() -> None:
    """Gateways are named by it; tests with an installation of their own set another."""
    secrets.setup(Settings(core=Core(secret=Fernet.generate_key().decode())))
