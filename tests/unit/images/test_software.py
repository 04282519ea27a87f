"""What is in an image, read from its files alone."""

import json
from pathlib import Path

import pytest

from tests.images import software

DPKG = """Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u14
Description: C library
 with a: colon in it

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, version, licence in (("One_Package", "1.2", "MIT"), ("torch", "2.13.0+cpu", "BSD-3-Clause")):
        folder = tmp_path / software.SITE / f"{name}-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense: {licence}\n"
        )
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(DPKG)
    return tmp_path


def test_a_bill_names_python_and_debian_packages_that_are_installed(tree: Path) -> None:
    path = tree / "bill.json"
    software.write(software.bill_of("llama-mapper-x", "abc", tree), path)
    bill = json.loads(path.read_text())
    assert {component["purl"] for component in bill["components"]} == {
        "pkg:pypi/one-package@1.2",
        "pkg:pypi/torch@2.13.0%2Bcpu",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64",
    }
    assert {str(one["licenses"]) for one in bill["components"] if "licenses" in one} == {
        "[{'license': {'id': 'MIT'}}]",
        "[{'license': {'id': 'BSD-3-Clause'}}]",
    }


@pytest.mark.parametrize(
    ("lock", "found"),
    [
        ("one-package==1.2\ntorch==2.13.0 ; python_version > '3'\n", []),
        ("one-package==1.3  # newer\ntorch==2.13.0\n", ["one-package==1.2"]),
        ("# nothing\n", ["one-package==1.2", "torch==2.13.0+cpu"]),
    ],
)
def test_a_version_that_no_lock_names_is_told(tree: Path, lock: str, found: list[str]) -> None:
    path = tree / "lock.txt"
    path.write_text(lock)
    assert software.not_locked(tree, path) == found
