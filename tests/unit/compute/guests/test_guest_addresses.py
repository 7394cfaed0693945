"""Addresses that guests tell of: what of it is believed, and how often an agent is asked."""

from typing import Any

import pytest
from wanted_machines import seen, wanted

from stratal.compute.domain import AgentState, Machine, PowerState
from stratal.compute.drivers.contract import GuestAddress
from stratal.compute.drivers.errors import AgentUnavailable
from stratal.compute.guests import addresses
from stratal.compute.guests.addresses import AgentAddresses, by_interface

MAC = "02:00:00:00:00:01"


class Agent:
    """The one verb of a hypervisor that is needed here, and the clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.answers = True

    def guest_addresses(self, machine: str, *, seconds: float) -> tuple[GuestAddress, ...]:
        self.asked += 1
        if not self.answers:
            raise AgentUnavailable(machine=machine, reason="it gave no answer")
        return (GuestAddress(mac=MAC, address=f"10.0.0.{self.asked}", prefix=24),)

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Agent:
    agent = Agent()
    monkeypatch.setattr(addresses, "time", agent)
    return agent


def guest(**fields: Any) -> Machine:
    return seen(wanted(), **{"agent": AgentState.CONNECTED, **fields})


def told(agent: Agent) -> AgentAddresses:
    hypervisor: Any = agent
    return AgentAddresses(hypervisor)


def test_only_what_others_could_reach_a_guest_by_is_taken_for_its_addresses() -> None:
    said = ["10.0.0.1", "10.0.0.1", "2001:DB8::1", "fe80::1%eth0", "127.0.0.1", "0.0.0.0", "<b>", "224.0.0.1"]
    found = by_interface(GuestAddress(mac=MAC.upper(), address=each, prefix=0) for each in said)
    assert found == {MAC: ("10.0.0.1", "2001:db8::1")}


def test_a_guest_that_tells_of_too_many_is_cut_short() -> None:
    said = (
        GuestAddress(mac=MAC, address=f"10.1.{each // 256}.{each % 256}", prefix=8) for each in range(5000)
    )
    assert len(by_interface(said)[MAC]) == 32


def test_an_agent_is_not_asked_at_every_look(agent: Agent) -> None:
    known = told(agent)
    assert known.of(guest()) == known.of(guest()) == {MAC: ("10.0.0.1",)}
    agent.now += 6
    assert known.of(guest()) == {MAC: ("10.0.0.2",)}


def test_an_agent_that_is_silent_is_left_alone_for_a_while(agent: Agent) -> None:
    known = told(agent)
    agent.answers = False
    for _ in range(10):
        assert known.of(guest()) == {}
        agent.now += 5
    assert agent.asked == 1
    agent.answers = True
    agent.now += 60
    assert known.of(guest()) == {MAC: ("10.0.0.2",)}


def test_a_guest_that_stands_still_is_not_asked_and_keeps_its_addresses(agent: Agent) -> None:
    known = told(agent)
    assert known.of(guest(power_state=PowerState.PAUSED)) == {}
    known.of(guest())
    agent.now += 3600
    for still in (guest(power_state=PowerState.PAUSED), guest(held=True)):
        assert known.of(still) == {MAC: ("10.0.0.1",)}
    assert agent.asked == 1


def test_an_agent_that_is_gone_leaves_nothing(agent: Agent) -> None:
    known = told(agent)
    known.of(guest())
    assert known.of(guest(agent=AgentState.DISCONNECTED)) == {}
    assert known.of(guest()) == {MAC: ("10.0.0.2",)}
