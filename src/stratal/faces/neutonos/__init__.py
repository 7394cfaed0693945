"""The NeutonOS face: `/sddc/v1`. Its metadata, spec and status are the kernel's own.

The names exported here are all that the composition root uses.
"""

from stratal.faces.neutonos.dispatch import Dispatcher
from stratal.faces.neutonos.endpoint import Endpoint
from stratal.faces.neutonos.index import endpoints
from stratal.faces.neutonos.openapi import openapi_json
from stratal.faces.neutonos.routes import PREFIX, CanonicalPaths, exception_handler, handlers

__all__ = [
    "PREFIX",
    "CanonicalPaths",
    "Dispatcher",
    "Endpoint",
    "endpoints",
    "exception_handler",
    "handlers",
    "openapi_json",
]
