# SPDX-License-Identifier: Apache-2.0
"""The event socket client by which the engine commands one switch (FreeSWITCH or the embedded one)."""
