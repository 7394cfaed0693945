"""What may be asked of data centres. Called by faces."""

from stratal.cluster.data_center.model import (
    DATA_CENTER,
    DataCenterCreate,
    DataCenterSpec,
    DataCenterStatus,
    DataCenterUpdate,
)
from stratal.kernel.kind import Catalogue
from stratal.kernel.service import ResourceService


class DataCenterService(ResourceService[DataCenterSpec, DataCenterStatus]):
    create_body = DataCenterCreate
    update_body = DataCenterUpdate

    def __init__(self, catalogue: Catalogue) -> None:
        super().__init__(DATA_CENTER, catalogue)
