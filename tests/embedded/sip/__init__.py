# SPDX-License-Identifier: Apache-2.0
"""Tests of the embedded switch's SIP layer, over real sockets with a scripted phone."""
