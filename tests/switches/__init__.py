# SPDX-License-Identifier: Apache-2.0
"""Switches that the call tests run on."""
