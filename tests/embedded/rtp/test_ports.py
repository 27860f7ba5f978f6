# SPDX-License-Identifier: Apache-2.0
"""Even ports, the longest free first, NoPort at the end."""

import socket

import pytest

from engine.embedded.rtp import NoPort
from engine.embedded.rtp.ports import PortPool

IP = "127.83.1.1"


def test_even_ports_until_none_is_left() -> None:
    pool = PortPool(range(20001, 20007))
    socks = [pool.bind(IP) for _ in range(3)]
    assert [sock.getsockname()[1] for sock in socks] == [20002, 20004, 20006]
    with pytest.raises(NoPort):
        pool.bind(IP)
    socks[1].close()
    pool.release(IP, 20004)
    socks[1] = pool.bind(IP)
    assert socks[1].getsockname()[1] == 20004
    for sock in socks:
        sock.close()


def test_a_freed_port_waits_its_turn() -> None:
    pool = PortPool(range(20100, 20106))
    first = pool.bind(IP)
    first.close()
    pool.release(IP, 20100)
    second = pool.bind(IP)
    assert second.getsockname()[1] == 20102
    second.close()


def test_a_port_taken_by_somebody_else_is_passed_over() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((IP, 20200))
        pool = PortPool(range(20200, 20204))
        with pool.bind(IP) as sock:
            assert sock.getsockname()[1] == 20202


def test_each_address_has_its_own_ports() -> None:
    pool = PortPool(range(20300, 20302))
    with pool.bind(IP) as one, pool.bind("127.83.1.2") as other:
        assert one.getsockname()[1] == other.getsockname()[1] == 20300


def test_an_address_that_is_not_ours_is_an_error() -> None:
    pool = PortPool(range(20400, 20402))
    with pytest.raises(OSError, match="assign"):
        pool.bind("192.0.2.1")


def test_the_operating_system_chooses_without_a_range() -> None:
    with PortPool(None).bind("127.0.0.1") as sock:
        assert sock.getsockname()[1] % 2 == 0
        assert not sock.getblocking()
