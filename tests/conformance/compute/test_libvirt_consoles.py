"""Consoles of real QEMU, spoken to as a viewer does: who is let in, and where the password is not."""

import socket
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from hypervisor_ground import Ground
from hypervisor_suite import swept

from libvirt_host import LibvirtHost
from stratal.compute.domain import CpuMode, Graphics
from stratal.compute.drivers.errors import CannotPlug, StartFailed
from stratal.compute.drivers.libvirt import LibvirtHypervisor

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("libvirt")]

NOBODY_ASKS: Final = 1
VNC_PASSWORD: Final = 2


@pytest.fixture
def hypervisor(libvirt_host: LibvirtHost) -> Generator[LibvirtHypervisor]:
    driver = libvirt_host.driver("consoles")
    with swept(driver):
        yield driver
    driver.close()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(folder=tmp_path, real=True)


def received(stream: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        assert piece, "the console closed the connection"
        data += piece
    return data


def is_let_in(port: int | None, password: str) -> bool | None:
    """Whether VNC lets one in with this password; None: it asks for none. RFC 6143, section 7."""
    assert port is not None
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        stream.sendall(received(stream, 12))
        types = received(stream, received(stream, 1)[0])
        if NOBODY_ASKS in types:
            return None
        stream.sendall(bytes([VNC_PASSWORD]))
        key = bytes(int(f"{each:08b}"[::-1], 2) for each in password.encode().ljust(8, b"\0")[:8])
        challenge = received(stream, 16)
        stream.sendall(Cipher(TripleDES(key * 3), modes.ECB()).encryptor().update(challenge))
        return received(stream, 4) == bytes(4)


@pytest.mark.parametrize("spice", [False, True])
def test_a_password_changes_while_the_guest_runs_and_stands_in_no_list_of_processes(
    libvirt_host: LibvirtHost, hypervisor: LibvirtHypervisor, ground: Ground, spice: bool
) -> None:
    definition = replace(ground.definition(), graphics=Graphics(spice=spice, password="old-word"))
    hypervisor.start(definition)
    seen = hypervisor.observe(definition.machine)
    assert seen is not None
    port = seen.graphics.vnc
    assert (is_let_in(port, "old-word"), is_let_in(port, "new-word")) == (True, False)
    hypervisor.set_graphics_password(definition.machine, "new-word")
    assert (is_let_in(port, "old-word"), is_let_in(port, "new-word")) == (False, True)
    process = Path("/proc", str(libvirt_host.qemu_pid(definition.machine)))
    for file in ("cmdline", "environ"):
        assert b"-word" not in (process / file).read_bytes()


def test_a_console_that_asks_for_no_password_does_not_begin_to(
    hypervisor: LibvirtHypervisor, ground: Ground
) -> None:
    definition = ground.definition()
    hypervisor.start(definition)
    with pytest.raises(CannotPlug):
        hypervisor.set_graphics_password(definition.machine, "new-word")
    seen = hypervisor.observe(definition.machine)
    assert seen is not None
    assert is_let_in(seen.graphics.vnc, "") is None


def test_a_processor_is_the_model_that_was_named_and_an_unknown_one_is_told(
    libvirt_host: LibvirtHost, hypervisor: LibvirtHypervisor, ground: Ground
) -> None:
    definition = replace(ground.definition(), cpu_mode=CpuMode.CUSTOM, cpu_model="Nehalem")
    hypervisor.start(definition)
    command = Path("/proc", str(libvirt_host.qemu_pid(definition.machine)), "cmdline").read_bytes()
    assert b"\0Nehalem" in command
    with pytest.raises(StartFailed, match="Unknown CPU model Sparc"):
        hypervisor.start(replace(ground.definition(), cpu_mode=CpuMode.CUSTOM, cpu_model="Sparc"))
