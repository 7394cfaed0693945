"""Block storage: every disk is a path through a graph of layers.

`layers` decides (pure functions over the graph), `drivers` carry out (qcow2 files, Ceph RBD, memory); the
kinds are what users see of it, and `tree` is what keeps the graph and makes it real.
"""

from stratal.storage.bs_policy.model import BsPolicySummary
from stratal.storage.bs_volume.model import BsVolumeClone
from stratal.storage.bs_volume.use import Use, UseOf
from stratal.storage.places import Backend
from stratal.storage.storage import KINDS, Storage
from stratal.storage.tree.view import VolumeTree
from stratal.storage.vm_image.download import Download, DownloadFormat
from stratal.storage.vm_image.images import ImageSettings
from stratal.storage.vm_image.upload import Piece, Upload

__all__ = [
    "KINDS",
    "Backend",
    "BsPolicySummary",
    "BsVolumeClone",
    "Download",
    "DownloadFormat",
    "ImageSettings",
    "Piece",
    "Storage",
    "Upload",
    "Use",
    "UseOf",
    "VolumeTree",
]
