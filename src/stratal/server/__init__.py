"""The composition root: the one place that knows every part, and puts them together.

Called by the CLI (`stratal serve`) and by tests that want a whole server.
"""

from stratal.server.composition import Server, catalogue

__all__ = ["Server", "catalogue"]
