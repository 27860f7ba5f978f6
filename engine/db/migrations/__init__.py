# SPDX-License-Identifier: Apache-2.0
"""Migrations of the core's tables, made by `python -m engine.db.makemigrations core`."""
