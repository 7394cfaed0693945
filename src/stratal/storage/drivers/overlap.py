"""What extents have in common. Called by the drivers."""

from collections.abc import Iterable

from stratal.storage.drivers.contract import Extent


def covered_bytes(extents: Iterable[Extent], covering: Iterable[Extent]) -> int:
    """How much of some extents others cover. Both in order; zeros take nothing that could be covered."""
    total = 0
    others = iter(covering)
    over = next(others, None)
    for extent in extents:
        if extent.zero:
            continue
        end = extent.offset + extent.length
        while over is not None and over.offset < end:
            over_end = over.offset + over.length
            total += max(0, min(end, over_end) - max(extent.offset, over.offset))
            if over_end > end:
                break
            over = next(others, None)
    return total
