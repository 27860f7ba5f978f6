# SPDX-License-Identifier: Apache-2.0
"""The inbound event socket (mod_event_socket's protocol): reader, connections, server."""
