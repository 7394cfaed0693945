"""Reads the XML of libvirt's domains. Called by the libvirt driver; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree

from stratal.compute.domain.definition import CephCluster, Chain, FileImage, Image, Limits, RbdImage
from stratal.compute.domain.state import (
    AgentState,
    CdRomState,
    DiskState,
    GraphicsPorts,
    NicState,
)
from stratal.compute.domain.writing import HOLD_NAMESPACE, NAMESPACE

_HOLD = f"metadata/{{{HOLD_NAMESPACE}}}hold"
_STALE = f"{_HOLD}/{{{HOLD_NAMESPACE}}}stale"
_AGENT = "org.qemu.guest_agent.0"


class Undo(StrEnum):
    """What ends a hold."""

    #: the file systems are frozen
    THAW = "thaw"
    #: the vCPUs stand still
    RESUME = "resume"
    #: the machine was paused before, or was by somebody meanwhile
    NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mirror:
    """An active commit: what the guest writes goes to two images."""

    base: Image | None
    #: both hold the same; the commit may end
    ready: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Domain:
    """What a domain's XML says."""

    name: str
    owner: str | None
    #: what ends the hold that the machine is in; None: it is in none
    undo: Undo | None
    #: overlays that hold what their base holds too, and are to be emptied before they are used
    stale: tuple[Path, ...]
    cpus: int
    memory_bytes: int
    nvram: Path | None
    disks: Mapping[str, DiskState]
    cd_roms: Mapping[str, CdRomState]
    nics: Mapping[str, NicState]
    graphics: GraphicsPorts
    agent: AgentState
    #: the `source index` of each image of a disk's chain, by target and in the chain's order
    indexes: Mapping[str, tuple[str, ...]]
    #: active commits, by target
    mirrors: Mapping[str, "Mirror"]
    #: the numbers in the names of all of QEMU's block nodes that libvirt knows of
    nodes: frozenset[str]
    #: the names that libvirt gave to devices, by target or MAC address
    aliases: Mapping[str, str]


def read(xml: str) -> Domain:
    """Of a domain of any maker; what is not of the kinds that Stratal makes is left out."""
    root = ElementTree.fromstring(xml)  # noqa: S314 (it is libvirt's own)
    mark = root.find(f"metadata/{{{NAMESPACE}}}machine")
    blocks = list(_blocks(root))
    nvram = root.findtext("os/nvram")
    return Domain(
        name=root.findtext("title") or root.findtext("name") or "",
        owner=None if mark is None else mark.get("owner"),
        undo=_undo(root),
        stale=tuple(Path(each.get("file", "")) for each in root.iterfind(_STALE)),
        cpus=_cpus(root),
        memory_bytes=int(root.findtext("currentMemory") or root.findtext("memory") or 0) * 1024,
        nvram=Path(nvram) if nvram else None,
        disks={target: _disk(target, each) for target, each in blocks if each.get("device") == "disk"},
        cd_roms={target: _cd_rom(target, each) for target, each in blocks if each.get("device") == "cdrom"},
        nics={nic.mac: nic for nic in _nics(root)},
        graphics=GraphicsPorts(vnc=_port(root, "vnc"), spice=_port(root, "spice")),
        agent=_agent(root),
        indexes={target: tuple(_indexes(each)) for target, each in blocks},
        mirrors={target: mirror for target, each in blocks for mirror in _mirrors(each)},
        nodes=frozenset(_nodes(root)),
        aliases=dict(_aliases(root)),
    )


def _cpus(root: ElementTree.Element) -> int:
    vcpu = root.find("vcpu")
    return 0 if vcpu is None else int(vcpu.get("current") or vcpu.text or 0)


def _undo(root: ElementTree.Element) -> Undo | None:
    hold = root.find(_HOLD)
    return None if hold is None else Undo(hold.get("undo", Undo.NOTHING))


def _blocks(root: ElementTree.Element) -> Iterator[tuple[str, ElementTree.Element]]:
    for disk in root.iterfind("devices/disk"):
        target = disk.find("target")
        if target is not None:
            yield target.get("dev", ""), disk


def _disk(target: str, disk: ElementTree.Element) -> DiskState:
    tune = disk.find("iotune")
    return DiskState(
        target=target,
        chain=tuple(_chain(disk)),
        serial=disk.findtext("serial"),
        read_only=disk.find("readonly") is not None,
        limits=Limits(
            iops=_positive(tune, "total_iops_sec"), bytes_per_second=_positive(tune, "total_bytes_sec")
        ),
    )


def _cd_rom(target: str, disk: ElementTree.Element) -> CdRomState:
    slot = disk.find("target")
    opened = slot is not None and slot.get("tray") == "open"
    return CdRomState(target=target, medium=tuple(_chain(disk)), tray_open=opened)


def _positive(tune: ElementTree.Element | None, name: str) -> int | None:
    value = int(tune.findtext(name) or 0) if tune is not None else 0
    return value or None


def _layers(disk: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, str, str]]:
    """The sources of a chain with their formats and indexes, the topmost first."""
    driver, source = disk.find("driver"), disk.find("source")
    if source is None:
        return
    yield source, "raw" if driver is None else driver.get("type", "raw"), source.get("index", "")
    at = disk.find("backingStore")
    while at is not None and (source := at.find("source")) is not None:
        form = at.find("format")
        yield source, "raw" if form is None else form.get("type", "raw"), at.get("index", "")
        at = at.find("backingStore")


def _chain(disk: ElementTree.Element) -> Chain:
    images = (_image(source, form) for source, form, _ in _layers(disk))
    return tuple(image for image in images if image is not None)


def _indexes(disk: ElementTree.Element) -> Iterator[str]:
    for _, _, index in _layers(disk):
        yield index


def _mirrors(disk: ElementTree.Element) -> Iterator[Mirror]:
    mirror = disk.find("mirror")
    if mirror is not None and mirror.get("job") == "active-commit":
        source, form = mirror.find("source"), mirror.find("format")
        base = None if source is None else _image(source, "raw" if form is None else form.get("type", "raw"))
        yield Mirror(base=base, ready=mirror.get("ready") == "yes")


def _nodes(root: ElementTree.Element) -> Iterator[str]:
    for disk in root.iterfind("devices/disk"):
        yield from filter(None, (each.get("index") for each in disk.iter()))


def _aliases(root: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for device in (*root.iterfind("devices/disk"), *root.iterfind("devices/interface")):
        alias, mac, target = device.find("alias"), device.find("mac"), device.find("target")
        if alias is not None and mac is not None:
            yield mac.get("address", "").lower(), alias.get("name", "")
        elif alias is not None and target is not None:
            yield target.get("dev", ""), alias.get("name", "")


def _image(source: ElementTree.Element, form: str) -> Image | None:
    file = source.get("file")
    if file is not None:
        return FileImage(path=Path(file), format=form)
    if source.get("protocol") != "rbd":
        return None
    pool, *namespace, image = source.get("name", "").split("/")
    snapshot, config, auth = source.find("snapshot"), source.find("config"), source.find("auth")
    return RbdImage(
        cluster=CephCluster(
            conf=Path("" if config is None else config.get("file", "")),
            user="" if auth is None else auth.get("username", ""),
            keyring=None,
        ),
        pool=pool,
        namespace=namespace[0] if namespace else "",
        image=image,
        snapshot=None if snapshot is None else snapshot.get("name"),
    )


def _nics(root: ElementTree.Element) -> Iterator[NicState]:
    for nic in root.iterfind("devices/interface"):
        mac, target, link = nic.find("mac"), nic.find("target"), nic.find("link")
        if mac is not None:
            yield NicState(
                mac=mac.get("address", "").lower(),
                tap=None if target is None else target.get("dev"),
                link_up=link is None or link.get("state") != "down",
            )


def _port(root: ElementTree.Element, kind: str) -> int | None:
    for graphics in root.iterfind("devices/graphics"):
        if graphics.get("type") == kind:
            port = int(graphics.get("port") or -1)
            return port if port > 0 else None
    return None


def _agent(root: ElementTree.Element) -> AgentState:
    for target in root.iterfind("devices/channel/target"):
        if target.get("name") == _AGENT and target.get("state") == "connected":
            return AgentState.CONNECTED
    return AgentState.DISCONNECTED
