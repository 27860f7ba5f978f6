# SPDX-License-Identifier: Apache-2.0
"""The built-in switch: SIP, RTP and FreeSWITCH's event socket in one asyncio process (`python -m engine.embedded`)."""
