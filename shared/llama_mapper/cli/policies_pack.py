"""Pack policies, and put them where orchestrate looks for them."""

from typing import TYPE_CHECKING

from .refusing import MISUSED, refuse

if TYPE_CHECKING:
    from functions.orchestrate.policies.bundles import Bundle


def packed(bundle: "Bundle", revision: str | None, *, tests: bool) -> bytes:
    """Return the archive; it has been read again."""
    from functions.orchestrate.policies.bundle_archives import build, read
    from functions.orchestrate.policies.bundles import BrokenBundle

    archive = build(bundle, revision, tests=tests)
    try:
        read(archive)
    except BrokenBundle:
        refuse("a revision is one word, of letters, digits and ._:/+-", MISUSED)
    return archive


def stored(archive: bytes, store: str, name: str, *, move: bool) -> None:
    """Put *archive* into *store* under *name*."""
    from pydantic import TypeAdapter, ValidationError

    from functions.orchestrate.policies.bundle_store import AlreadyThere, open_store
    from llama_mapper.contracts.policies import BundleReference
    from llama_mapper.contracts.problems import Problem

    try:
        TypeAdapter[str](BundleReference).validate_python(name)
    except ValidationError:
        refuse("a name is like platform/decision:2026.11", MISUSED)
    try:
        place = open_store(store)
        (place.move if move else place.put)(name, archive)
    except AlreadyThere:
        refuse("the name is there and names another bundle; take a new tag, or --move it")
    except Problem as problem:
        refuse(problem.detail)
