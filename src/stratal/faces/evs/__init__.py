"""The face for clients of OpenStack Block Storage and of Huawei Cloud EVS, with Identity v3 beside it.

One core serves both families. The URL says whose words an answer is in: paths with the project's id are the
surface of Huawei's documents, those without are Cinder's own.
"""

from stratal.faces.evs.call import Endpoint
from stratal.faces.evs.face import Face
from stratal.faces.evs.index import ENDPOINTS
from stratal.faces.evs.services import Services

__all__ = ["ENDPOINTS", "Endpoint", "Face", "Services"]
