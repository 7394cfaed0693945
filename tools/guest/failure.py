"""The one error of a build."""


class BuildFailed(Exception):
    """The guest could not be built; the text says why, for a person."""
