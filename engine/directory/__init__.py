# SPDX-License-Identifier: Apache-2.0
"""Answers the switch's questions about SIP accounts and trunks, from memory; the runtime starts `DirectoryListener`."""

from engine.directory.guard import Guard
from engine.directory.listener import USERNAME, DirectoryListener, directory_url
from engine.directory.source import Directory, SipCredentials, TrunkConfig, ha1

__all__ = ["USERNAME", "Directory", "DirectoryListener", "Guard", "SipCredentials", "TrunkConfig", "directory_url", "ha1"]
