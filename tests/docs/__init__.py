# SPDX-License-Identifier: Apache-2.0
"""Tests that run what the documents show."""
