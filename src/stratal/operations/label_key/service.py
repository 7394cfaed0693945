"""What may be asked of label keys. Called by faces."""

from stratal.kernel.kind import Catalogue
from stratal.kernel.service import ResourceService
from stratal.operations.label_key.model import LABEL_KEY, LabelKeyCreate, LabelKeySpec, LabelKeyStatus


class LabelKeyService(ResourceService[LabelKeySpec, LabelKeyStatus]):
    create_body = LabelKeyCreate

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(LABEL_KEY, catalogue)
