"""Block storage: every disk is a path through a graph of layers.

`layers` decides (pure functions over the graph), `drivers` carry out (qcow2 files, Ceph RBD, memory); the
kinds are what users see of it, and `tree` is what keeps the graph and makes it real.
"""

from stratal.storage.bs_policy.model import BsPolicySummary, BytesPerSecond, Iops
from stratal.storage.bs_snap.model import BsSnapOfMachine
from stratal.storage.bs_volume.facts import VolumeFacts, volume_facts
from stratal.storage.bs_volume.model import (
    MIB,
    BsVolumeClone,
    BsVolumeCreate,
    BsVolumeFlatten,
    BsVolumeRollback,
    BsVolumeUpdate,
    SizeMb,
)
from stratal.storage.bs_volume.use import Use, UseOf
from stratal.storage.drivers.contract import Location, OpenDisk, Transport
from stratal.storage.drivers.errors import LayerBusy
from stratal.storage.layers import Name, NameKind
from stratal.storage.lending.lender import Lender, NotReady, Overlay
from stratal.storage.lending.lent import Keeper
from stratal.storage.places import Backend
from stratal.storage.storage import KINDS, Storage
from stratal.storage.tree.view import VolumeTree
from stratal.storage.vm_image.download import Download, DownloadFormat
from stratal.storage.vm_image.images import ImageSettings
from stratal.storage.vm_image.kept_disk import KeptDisk, KeptDiskOf
from stratal.storage.vm_image.repetition import Repetition
from stratal.storage.vm_image.upload import Piece, Upload

__all__ = [
    "KINDS",
    "MIB",
    "Backend",
    "BsPolicySummary",
    "BsSnapOfMachine",
    "BsVolumeClone",
    "BsVolumeCreate",
    "BsVolumeFlatten",
    "BsVolumeRollback",
    "BsVolumeUpdate",
    "BytesPerSecond",
    "Download",
    "DownloadFormat",
    "ImageSettings",
    "Iops",
    "Keeper",
    "KeptDisk",
    "KeptDiskOf",
    "LayerBusy",
    "Lender",
    "Location",
    "Name",
    "NameKind",
    "NotReady",
    "OpenDisk",
    "Overlay",
    "Piece",
    "Repetition",
    "SizeMb",
    "Storage",
    "Transport",
    "Upload",
    "Use",
    "UseOf",
    "VolumeFacts",
    "VolumeTree",
    "volume_facts",
]
