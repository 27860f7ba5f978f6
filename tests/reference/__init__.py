# SPDX-License-Identifier: Apache-2.0
"""An independent reference for where calls go: written from the manual and the call rules, not from the code that it judges."""
