"""The fixtures of the cluster domain's tests."""

from collections.abc import Iterator

import pytest
from cluster_installation import Installation, running

from stratal.cluster import Cluster


@pytest.fixture
def installation(sqlite_url: str) -> Iterator[Installation]:
    with running(sqlite_url) as installation:
        yield installation


@pytest.fixture
def cluster(installation: Installation) -> Cluster:
    return installation.cluster
