# SPDX-License-Identifier: Apache-2.0
"""Programs that drive the event socket with other people's clients; each runs in an interpreter that has the client."""
