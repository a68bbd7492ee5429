"""Real etcd for the tests of this directory, each series in its turn."""

from __future__ import annotations

import pytest

from sandbox.model.spec import EtcdBinary
from tests import etcd_versions


@pytest.fixture(params=etcd_versions.SERIES)
def etcd_binary(request: pytest.FixtureRequest) -> EtcdBinary:
    """The etcd of one series; the test is skipped without it, or fails where all are required."""
    series: str = request.param
    binary = etcd_versions.find(series)
    if binary is not None:
        return binary
    if etcd_versions.required():
        pytest.fail(etcd_versions.missing(series))
    pytest.skip(etcd_versions.missing(series))
