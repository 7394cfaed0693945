"""The golden files of the domain XML, against the schema that libvirt brings with it."""

import subprocess
from pathlib import Path

import pytest

_GOLDEN = Path(__file__).parents[2] / "unit" / "compute" / "domain" / "golden"
_SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")


@pytest.mark.parametrize("name", ["plain", "chain", "rbd", "uefi", "ide", "models"])
def test_what_is_written_meets_libvirts_schema(name: str) -> None:
    if not _SCHEMA.exists():
        pytest.skip("libvirt is not installed")
    command = ["xmllint", "--noout", "--relaxng", str(_SCHEMA), str(_GOLDEN / f"{name}.xml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
