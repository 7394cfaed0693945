"""What can go wrong with a layer, whichever driver holds it.

Raised by drivers, told apart by the storage reconcilers: `LayerBusy` and every `Unavailable` pass with time
and are retried, the rest needs somebody to change something. A driver translates its backend's own errors
into these and lets no other through, except defects. An error is no proof that nothing happened: observe.
"""

from stratal.kernel.errors import Conflict, Invalid, NotFound, StratalError, Unavailable


class LayerNotFound(NotFound):
    """The layer a verb was to work on is not there."""

    template = "there is no layer {layer} in {place}"
    remedy = "Look at the layers of the storage; it may have been removed or never been created."


class LayerExists(Conflict):
    """A layer of this id is there already and is not the one that was asked for."""

    code = "layer_exists"
    template = "layer {layer} exists already, and differs: {reason}"


class LayerBusy(Conflict):
    """Somebody has the layer open in a way that excludes what was asked."""

    code = "layer_busy"
    template = "layer {layer} is in use: {reason}"
    remedy = "Wait until the current use ends, or stop the guest or job that uses it."


class LayerFrozen(Conflict):
    """A frozen layer was to be changed."""

    code = "layer_frozen"
    template = "layer {layer} is frozen and can't be changed"
    remedy = "Write to a layer above it."


class LayerNotFrozen(Conflict):
    """A layer must be frozen before another may hang on it."""

    code = "layer_not_frozen"
    template = "layer {layer} is writable, so nothing may hang on it"
    remedy = "Freeze it first."


class LayerHasChildren(Conflict):
    """A layer that others read was to be removed."""

    code = "layer_has_children"
    template = "layer {layer} can't go: {children} hang on it"
    remedy = "Merge it into its only child, or remove the layers above it first."


class NotAnAncestor(Conflict):
    """Two layers were named as ancestor and descendant, and are not."""

    code = "not_an_ancestor"
    template = "layer {ancestor} is not below layer {layer}"


class CannotShrink(Invalid):
    """Layers only grow."""

    code = "cannot_shrink"
    template = "layer {layer} has {size_bytes} bytes and can't shrink to {wanted_bytes}"
    remedy = "Ask for at least the present size."


class SourceRefused(Invalid):
    """An image to copy from or to take over is not what it claims, or points outside itself."""

    code = "source_refused"
    template = "the image {source} is refused: {reason}"
    remedy = "Convert it to a self-contained image without backing file or external data file, and retry."


class NoSpace(Unavailable):
    """The place is full. The layer reads as before; what was begun is continued or removed by a retry."""

    code = "no_space"
    template = "{place} has no space left while it tried to {action}"
    remedy = "Free or add space. The work goes on by itself."


class BackendUnavailable(Unavailable):
    """The place does not answer, or refuses everything: a vanished directory, a silent pool."""

    code = "backend_unavailable"
    template = "{place} does not answer: {reason}"
    remedy = "Bring the storage back. The work goes on by itself."


class LayerDamaged(StratalError):
    """The layer's own structures are broken, so that its content can't be trusted."""

    code = "layer_damaged"
    template = "layer {layer} is damaged: {reason}"
    remedy = "Restore it from a backup, or repair it with the storage's own tools."
