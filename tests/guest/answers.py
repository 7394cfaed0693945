"""What the guest answers, typed. Sizes are bytes, times nanoseconds of the guest's own clock."""

from typing import Literal

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decoded strictly: a field too many or too few is a mistake of one of the two sides."""


class Hello(Answer, frozen=True):
    kernel: str
    #: Another one after each boot.
    boot_id: str
    command_line: str
    uptime_ms: int


class Machine(Answer, frozen=True):
    cpus: int
    #: What the kernel has, some MiB less than the machine.
    memory_bytes: int
    firmware: Literal["bios", "uefi"]
    uuid: str
    serial: str
    product: str
    #: The hardware clock read as if it ran in UTC, seconds since 1970.
    rtc: int
    wall_ns: int


class Written(Answer, frozen=True):
    nanoseconds: int


class Verdict(Answer, frozen=True):
    """Whether a range holds a pattern; else the first byte that differs, with up to 16 bytes from there."""

    matches: bool
    offset: int | None = None
    expected: str | None = None
    found: str | None = None


class Device(Answer, frozen=True):
    name: str
    kind: Literal["disk", "cdrom"]
    #: "scsi" and "virtio" are virtio's two; "ata" is IDE and SATA.
    bus: Literal["virtio", "scsi", "ata", "usb", "nvme", "other"]
    serial: str
    size_bytes: int
    block_bytes: int
    read_only: bool
    #: Whether a drive has a disc; always true for disks.
    medium: bool

    @property
    def path(self) -> str:
        return f"/dev/{self.name}"


class Nic(Answer, frozen=True):
    name: str
    mac: str
    driver: str
    link: bool
    mtu: int
    #: With their prefix: 10.0.2.15/24.
    addresses: list[str]

    @property
    def ipv4(self) -> list[str]:
        return [address.partition("/")[0] for address in self.addresses if ":" not in address]


class Beating(Answer, frozen=True):
    """A series of heartbeats so far, or at its end."""

    running: bool
    #: Tells the series from others; `read_beats` takes it.
    run: int
    written: int
    #: Beats since the largest gap was last forgotten.
    since_mark: int
    #: From the end of one beat's write to the end of the next, the pause between them included.
    largest_gap_ns: int
    #: The number of the beat before that gap.
    largest_gap_after: int
    longest_write_ns: int
    since_last_ns: int
    #: Why it ended by itself.
    error: str


class BeatsFound(Answer, frozen=True):
    """The beats of one series that a disk holds."""

    run: int
    count: int
    first: int
    last: int
    #: Numbers between the first and the last that are not there.
    missing: int
    #: Blocks of any series that are not as they were written.
    torn: int
    largest_gap_ns: int


class Ran(Answer, frozen=True):
    code: int
    output: str


class PowerButton(Answer, frozen=True):
    obeys: bool
    presses: int


class Agent(Answer, frozen=True):
    mode: Literal["run", "off", "hang", "stuck"]
    #: Whether the agent's process is there.
    running: bool


class Frozen(Answer, frozen=True):
    frozen: bool


class Nothing(Answer, frozen=True):
    pass


class Hash(Answer, frozen=True):
    sha256: str


class Text(Answer, frozen=True):
    text: str


class Devices(Answer, frozen=True):
    devices: list[Device]


class Nics(Answer, frozen=True):
    nics: list[Nic]
