# SPDX-License-Identifier: Apache-2.0
"""The phones registered now that a changed white list would not let register again (PBX-5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from engine.directory.networks import contains, parse
from engine.i18n import N_
from engine.snapshot import Finding, Snapshot

SHUT_OUT: Final = N_(
    "Phones that are registered now are outside the white list ({count}): {phones}. "
    "They can’t call or register any more, and ring only until their registration runs out."
)


def shut_out(
    before: Snapshot, after: Snapshot, addresses: Mapping[str, Sequence[str]], *, most: int = 20
) -> Iterator[Finding]:
    """`addresses`: of the phones by their logins; `most`: so many are named. Nothing when the list stays as it was."""
    listed = after.account.whitelist
    if not listed or listed == before.account.whitelist:
        return  # an empty list lets everybody in
    networks = parse(listed)
    phones = [
        f"{after.users[account.user].title}, {login} ({address})"
        for login, known in addresses.items()
        if (account := after.sip_accounts.get(login)) is not None and account.user in after.users
        for address in known
        if not contains(networks, address)
    ]
    if phones:
        named = phones if len(phones) <= most else [*phones[:most], "…"]
        yield Finding("warning", None, SHUT_OUT, {"count": str(len(phones)), "phones": "; ".join(named)})
