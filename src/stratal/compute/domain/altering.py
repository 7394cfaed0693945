"""Changes to XML that libvirt wrote: what `writing` would write may miss what libvirt added to it (addresses,
aliases), and must not. Called by the libvirt driver; pure.
"""

from copy import deepcopy
from xml.etree import ElementTree

from stratal.compute.domain import writing
from stratal.compute.domain.definition import CdRom, Disk, MachineDefinition, Nic

_REPLACED = ("driver", "source", "backingStore", "mirror")


def relinked(xml: str, mac: str, *, up: bool) -> str | None:
    """The NIC of this domain with its link up or down; None if there is none."""
    for nic in _parsed(xml).iterfind("devices/interface"):
        address = nic.find("mac")
        if address is not None and address.get("address", "").lower() == mac:
            for link in nic.findall("link"):
                nic.remove(link)
            ElementTree.SubElement(nic, "link", state="up" if up else "down")
            return writing.text(nic)
    return None


def with_password(xml: str, password: str) -> list[str]:
    """The domain's consoles, with another password."""
    found: list[str] = []
    for graphics in _parsed(xml).iterfind("devices/graphics"):
        graphics.set("passwd", writing.console_password(graphics.get("type", ""), password))
        found.append(writing.text(graphics))
    return found


def with_medium(xml: str, cd_rom: CdRom) -> str | None:
    """The drive of this domain with another medium; None if there is none. The bus is the drive's own."""
    new = ElementTree.fromstring(writing.cd_rom(cd_rom))  # noqa: S314 (it is our own)
    for drive in _parsed(xml).iterfind("devices/disk"):
        if _target(drive) == cd_rom.target and drive.get("device") == "cdrom":
            _refit(drive, new)
            return writing.text(drive)
    return None


def resumed(saved: str, definition: MachineDefinition) -> str:
    """The domain of a memory file, whose hardware can't change, on the disks and taps of a definition."""
    root = _parsed(saved)
    blocks = {_target(each): each for each in root.iterfind("devices/disk")}
    for each in (*definition.disks, *definition.cd_roms):
        if each.target in blocks:
            xml = writing.disk(each) if isinstance(each, Disk) else writing.cd_rom(each)
            _refit(blocks[each.target], ElementTree.fromstring(xml))  # noqa: S314 (it is our own)
    nics = {nic.mac: nic for nic in definition.nics}
    for element in root.iterfind("devices/interface"):
        mac, target = element.find("mac"), element.find("target")
        nic: Nic | None = None if mac is None else nics.get(mac.get("address", "").lower())
        if nic is not None and target is not None:
            target.set("dev", nic.tap)
            target.set("managed", "no")
    for element in root.iterfind("devices/graphics"):
        element.attrib.pop("passwd", None)
        if definition.graphics.password is not None:
            kind = element.get("type", "")
            element.set("passwd", writing.console_password(kind, definition.graphics.password))
    for hold in root.findall(f"metadata/{{{writing.HOLD_NAMESPACE}}}hold"):
        metadata = root.find("metadata")
        assert metadata is not None
        metadata.remove(hold)
    return writing.text(root)


def _refit(element: ElementTree.Element, new: ElementTree.Element) -> None:
    """Let a disk or drive have the chain of another one."""
    element.set("type", new.get("type", "file"))
    for tag in _REPLACED:
        for old in element.findall(tag):
            element.remove(old)
    for position, tag in enumerate(("driver", "source", "backingStore")):
        for part in new.findall(tag):
            element.insert(position, deepcopy(part))


def _target(disk: ElementTree.Element) -> str:
    target = disk.find("target")
    return "" if target is None else target.get("dev", "")


def _parsed(xml: str) -> ElementTree.Element:
    return ElementTree.fromstring(xml)  # noqa: S314 (it is libvirt's own)
