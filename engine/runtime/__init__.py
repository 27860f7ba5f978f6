# SPDX-License-Identifier: Apache-2.0
"""Builds the parts of one process, starts them in order, stops them in reverse."""

from engine.runtime.runtime import Runtime

__all__ = ["Runtime"]
