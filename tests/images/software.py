"""What is in an image: its packages as a CycloneDX bill of materials, and whether each is the locked one."""

from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FORMAT = SchemaVersion.V1_6
SITE = Path("opt/venv/lib/python3.11/site-packages")
OWN = "llama-mapper"
_FACTORY = LicenseFactory()


def bill_of(image: str, version: str, tree: Path) -> Bom:
    """Return the bill of the image whose files lie in *tree*."""
    bom = Bom()
    bom.metadata.component = Component(name=image, version=version, type=ComponentType.CONTAINER, bom_ref=image)
    for found in (*_python(tree), *_debian(tree)):
        bom.components.add(found)
    bom.register_dependency(bom.metadata.component, bom.components)
    return bom


def write(bom: Bom, path: Path) -> None:
    """Write *bom* as JSON.

    Raises:
        ValueError: CycloneDX's schema refuses it.
    """
    text = make_outputter(bom, OutputFormat.JSON, FORMAT).output_as_string(indent=1)
    fault = make_schemabased_validator(OutputFormat.JSON, FORMAT).validate_str(text)
    if fault:
        raise ValueError(f"{path.name} is no CycloneDX document: {fault}")
    path.write_text(text, "utf-8")


def installed(tree: Path) -> dict[str, str]:
    """The Python packages in *tree*, by their canonical name."""
    return {canonicalize_name(one.metadata["Name"]): one.version for one in _distributions(tree)}


def not_locked(tree: Path, *locks: Path, pins: Iterable[str] = ()) -> list[str]:
    """The Python packages whose version neither one of *locks* nor *pins* names."""
    locked: dict[str, set[str]] = {}
    for line in (*pins, *(line for lock in locks for line in lock.read_text("utf-8").splitlines())):
        if text := line.partition("#")[0].strip():
            requirement = Requirement(text)
            versions = {each.version for each in requirement.specifier}
            locked.setdefault(canonicalize_name(requirement.name), set()).update(versions)
    found = installed(tree)
    return sorted(
        f"{name}=={version}"
        for name, version in found.items()
        if name != OWN and version.partition("+")[0] not in locked.get(name, ())
    )


def _distributions(tree: Path) -> Iterator[Distribution]:
    yield from distributions(path=[str(tree / SITE)])


def _python(tree: Path) -> Iterator[Component]:
    for one in _distributions(tree):
        name = canonicalize_name(one.metadata["Name"])
        said = [*one.metadata.get_all("License-Expression", ()), *one.metadata.get_all("License", ()), ""][0].strip()
        short = "" if "\n" in said or len(said) > 64 else said  # some put the whole text there
        yield Component(
            name=name,
            version=one.version,
            purl=PackageURL("pypi", name=name, version=one.version),
            bom_ref=f"pypi:{name}",
            licenses=[_FACTORY.make_from_string(short)] if short else (),
        )


def _debian(tree: Path) -> Iterator[Component]:
    for paragraph in (tree / "var/lib/dpkg/status").read_text("utf-8").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Status", "").endswith(" installed"):
            name, version, architecture = fields["Package"], fields["Version"], fields["Architecture"]
            yield Component(
                name=name,
                version=version,
                purl=PackageURL("deb", "debian", name, version, {"arch": architecture}),
                bom_ref=f"deb:{name}:{architecture}",
            )
