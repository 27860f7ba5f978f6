# SPDX-License-Identifier: Apache-2.0
"""The cabinet: server-rendered pages for administrators, managers and employees of a customer."""
