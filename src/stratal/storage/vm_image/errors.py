"""What can go wrong with an upload. Raised by this package; faces map the base classes."""

from stratal.kernel.errors import Conflict, Invalid, TooLarge, Unavailable
from stratal.storage.images import ImageRefused


class UploadBusy(Conflict):
    """One upload at a time, and none while what arrived is checked."""

    code = "upload_busy"
    template = "vm_image {id} is being uploaded or checked by somebody else"
    remedy = "Wait until that ends, and look at status.upload_state."


class NoUploadDue(Conflict):
    """The image has its content, or gets it from elsewhere."""

    code = "no_upload_due"
    template = "vm_image {id} takes no upload: {reason}"
    remedy = "Create another image."


class WrongOffset(Conflict):
    """A chunk that leaves a gap, or that contradicts what arrived before."""

    code = "wrong_offset"
    template = "vm_image {id} has {arrived_byte} bytes; {reason}"
    remedy = "Go on where status.uploaded_byte says, or send it whole, without Content-Range, to start anew."


class Incomplete(Invalid):
    """An upload that ended too early. What arrived is kept."""

    code = "incomplete"
    template = "{field}: it ended early; {arrived_byte} of {expected} bytes are here"
    remedy = "Send the rest, with a Content-Range that begins at status.uploaded_byte."


class UploadTooLong(TooLarge):
    """More than was declared, or than the settings allow."""

    template = "the image is longer than {limit_bytes} bytes, {why}"
    remedy = "Declare the right size_byte when the image is created, or have storage.image_max_bytes raised."


class WrongChecksum(ImageRefused):
    """What arrived is not what was declared."""

    code = "wrong_checksum"
    template = "{field}: {algorithm} of what was uploaded is {found}, not {declared}"
    remedy = "Compare with the original's checksum, and upload it again."


class SpoolFull(Unavailable):
    """No space is left for uploads."""

    code = "no_space"
    template = "no space is left for uploads; {arrived_byte} bytes of vm_image {id} are safe"
    remedy = "Have space freed in the data directory, then go on from status.uploaded_byte."


class SpoolUnavailable(Unavailable):
    """The directory of uploads cannot be used."""

    code = "spool_unavailable"
    template = "the directory of uploads cannot be used: {reason}"
    remedy = "Have the data directory brought back, then go on from status.uploaded_byte."
