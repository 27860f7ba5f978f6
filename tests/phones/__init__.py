# SPDX-License-Identifier: Apache-2.0
"""Independent phones for the call tests: pjsua2 (each in its own process), sipp, and what they heard."""
