# SPDX-License-Identifier: Apache-2.0
"""Guessing of passwords and names is stopped, and a working phone behind the same address does not notice."""

from __future__ import annotations

import pytest

from tests.calls.pbx import Pbx
from tests.calls.telephone import Line

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFUSED = (401, 403)
"""FreeSWITCH refuses what its directory does not know with 403; a digest that does not fit may be asked for again."""


async def attempt(office: Pbx, login: str, password: str) -> int:
    """A REGISTER with one answer to the challenge, from the phones' address but another port."""
    line = Line(office.internal, login, office.domain, password)
    await line.open(office.phones_at)
    try:
        return (await line.register()).code
    finally:
        line.close()


@pytest.mark.feature("ACC-1", "USR-4")
async def test_ten_wrong_passwords_bar_this_account_from_this_address(shared: Pbx) -> None:
    for login in ("201", "202", "203"):
        await shared.user(login)
    async with shared.telephone("202") as neighbour, shared.telephone("203") as callee:
        for _ in range(10):
            assert await attempt(shared, "201", "wrong") in REFUSED
        assert await attempt(shared, "201", shared.passwords["201"]) == 403  # the password is not even looked at
        assert (await neighbour.register()).code == 200
        talk = await neighbour.call("203")
        ringing = await callee.answers()
        await talk.answered()
        await talk.hang_up()
        await ringing.ended()
    assert await attempt(shared, "202", shared.passwords["202"]) == 200


@pytest.mark.feature("ACC-1", "USR-4")
async def test_thirty_unknown_names_bar_the_address(shared: Pbx) -> None:
    for login in ("201", "202", "203"):
        await shared.user(login)
    async with shared.telephone("202") as neighbour, shared.telephone("203") as callee:
        for number in range(30):
            assert await attempt(shared, f"9{number:02d}", "guess") in REFUSED
        assert await attempt(shared, "201", shared.passwords["201"]) == 403
        assert (await neighbour.register()).code == 200
        talk = await neighbour.call("203")
        ringing = await callee.answers()
        await talk.answered()
        await talk.hang_up()
        await ringing.ended()
