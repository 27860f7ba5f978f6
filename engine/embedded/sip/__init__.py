# SPDX-License-Identifier: Apache-2.0
"""SIP for the embedded switch: signalling only, no media and no event socket; `agent.py` and `sdp.py` are its face."""
