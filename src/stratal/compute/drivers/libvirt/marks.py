"""The mark that a machine carries while it stands still for a point in time. Base of `life` and `points`.

It lies in libvirt's live description of the machine: there for as long as the QEMU process, whatever
happens to us or to libvirtd.
"""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from stratal.compute.domain import MachineId, writing
from stratal.compute.domain.reading import Undo
from stratal.compute.drivers.errors import MachineBusy
from stratal.compute.drivers.libvirt import binding
from stratal.compute.drivers.libvirt.access import Access
from stratal.kernel.effects import Effect

_MARK = Effect("libvirt.mark")
_UNMARK = Effect("libvirt.unmark")

_KEY = "hold"


class Marks(Access):
    def mark(self, machine: MachineId, undo: Undo, stale: Sequence[Path] = ()) -> None:
        """Say what ends its hold, and which overlays are to be emptied first; in place of what was said."""
        element = ElementTree.Element("hold", undo=undo)
        for overlay in stale:
            ElementTree.SubElement(element, "stale", file=str(overlay))
        with _MARK:
            self._set(machine, ElementTree.tostring(element, encoding="unicode"))

    def unmark(self, machine: MachineId) -> None:
        """Done already if it has none."""
        with _UNMARK:
            self._set(machine, None)

    def _set(self, machine: MachineId, xml: str | None) -> None:
        libvirt = binding.module()
        self.ask(
            machine,
            "marking",
            lambda handle: handle.setMetadata(
                libvirt.VIR_DOMAIN_METADATA_ELEMENT,
                xml,
                _KEY,
                writing.HOLD_NAMESPACE,
                libvirt.VIR_DOMAIN_AFFECT_LIVE,
            ),
            refused=lambda reason: MachineBusy(machine=machine, reason=reason),
        )
