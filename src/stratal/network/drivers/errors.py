"""What can go wrong with the network of a host, whichever driver works on it.

Raised by drivers; whatever passes with time or with a change of the host is an `Unavailable`, and retried.
"""

from stratal.kernel.errors import Conflict, Unavailable


class NetworkUnavailable(Unavailable):
    """The host's network can't be worked on: no right to, a tool is missing, or it failed."""

    code = "network_unavailable"
    template = "the network of this host can't be changed: {reason}"
    remedy = "Remove the cause. The work goes on by itself."


class NotSupported(Unavailable):
    """The host's kernel lacks what was asked for."""

    code = "network_not_supported"
    template = "{what} can't be made on this host: {reason}"
    remedy = "Load the kernel's module, use another kernel, or ask for something else."


class InterfaceMissing(Unavailable):
    """An interface that is to be an uplink is not there."""

    code = "interface_missing"
    template = "there is no interface {name} on this host"
    remedy = "Bring the interface back, or detach it from its switch."


class BridgeMissing(Unavailable):
    """A tap or a service was to be joined to a network that is not there yet."""

    code = "bridge_missing"
    template = "network {network} has no bridge on this host yet"
    remedy = "Wait until it has, or look at why it has none."


class InterfaceInUse(Conflict):
    """An interface that is to be an uplink has another use."""

    code = "interface_in_use"
    template = "interface {name} is in use: {reason}"
    remedy = "Give that up first, or use another interface."


class DeviceForeign(Conflict):
    """A device has a name that would be ours, and is not ours."""

    code = "device_foreign"
    template = "there is a device {name} already that Stratal has not made"
    remedy = "Remove or rename that device."
