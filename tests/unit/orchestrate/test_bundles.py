import gzip
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from functions.orchestrate.policies.bundle_archives import build, read, read_path
from functions.orchestrate.policies.bundles import BrokenBundle, read_folder, within
from functions.orchestrate.policies.rego import RegoPolicy
from functions.orchestrate.settings import Settings
from tests.fakes.policies import bundle, decides, holds, sources, write

SHIPPED = Path(Settings.model_fields["policies"].default)


def tar(files: dict[str, bytes], kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    """A gzipped tar as another program makes it: times, owners, and paths as they are given."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mtime, entry.type, entry.linkname = len(content), 1_700_000_000, kind, target
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def as_bytes(files: dict[str, str], **more: Any) -> dict[str, bytes]:
    written = {path: source.encode() for path, source in files.items()}
    return written | {path.replace("_json", ".json"): json.dumps(content).encode() for path, content in more.items()}


def test_a_bundle_holds_what_its_folder_holds_and_is_the_same_version() -> None:
    folder = read_folder(SHIPPED)
    packed = read(build(folder))
    assert (packed.modules, packed.data) == (folder.modules, folder.data)
    assert packed.version == folder.version == packed.revision
    assert RegoPolicy(packed).version == RegoPolicy(SHIPPED).version


def test_the_same_policies_give_the_same_bytes() -> None:
    assert build(read_folder(SHIPPED)) == build(read(build(read_folder(SHIPPED))))


def test_without_tests_a_bundle_is_the_same_version_and_smaller() -> None:
    whole, bare = build(read_folder(SHIPPED)), build(read_folder(SHIPPED), tests=False)
    assert read(bare).version == read(whole).version
    assert len(bare) < len(whole)
    assert not read(bare).tests


def test_the_manifest_names_the_roots_that_opa_wants() -> None:
    manifest = json.loads(
        gzip.decompress(build(bundle()))
        .partition(b".manifest")[2]
        .partition(b"{")[2]
        .join([b"{", b""])
        .partition(b"\0")[0]
    )
    assert manifest["roots"] == ["llama_mapper", "version"]
    assert manifest["rego_version"] == 1


def test_the_digest_is_the_files_own(tmp_path: Path) -> None:
    import hashlib

    archive = build(bundle())
    (tmp_path / "p.tar.gz").write_bytes(archive)
    assert read_path(tmp_path / "p.tar.gz").sha256 == hashlib.sha256(archive).hexdigest()


def test_a_bundle_as_opa_builds_it_is_read() -> None:
    files = as_bytes(sources(), _json={}) | {"/data.json": b'{"version": "7"}', "/.manifest": b'{"revision": "git-1"}'}
    found = read(tar({f"/{path.lstrip('/')}": content for path, content in files.items() if path != ".json"}))
    assert found.revision == "git-1"
    assert set(found.modules) == set(sources())


def test_data_in_folders_lies_below_their_names() -> None:
    files = as_bytes(sources()) | {"data.json": b'{"version": "7"}', "tenants/acme/data.json": b'{"enabled": true}'}
    assert read(tar(files)).data == {"version": "7", "tenants": {"acme": {"enabled": True}}}


def test_the_revision_is_the_version_where_the_data_have_none() -> None:
    files = as_bytes(sources()) | {"data.json": b"{}", ".manifest": b'{"revision": "git-1"}'}
    assert read(tar(files)).version.startswith("git-1+")


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "no_policies"),
        ({"decision/decision_test.rego": b"package a"}, "no_policies"),
        ({"a/a.rego": b"\xff"}, "not_utf8"),
        ({"a/a.rego": b"package a", "data.json": b"[]"}, "not_json"),
        ({"a/a.rego": b"package a", "data.json": b'{"version": NaN}'}, "not_json"),
        ({"a/a.rego": b"package a", "data.json": b"{}"}, "no_version"),
        ({"a/a.rego": b"package a", "data.json": b'{"version": "two words"}'}, "no_version"),
        (
            {"a/a.rego": b"package a", "data.json": b'{"version": "1", "b": 1}', "b/data.json": b'{"c": 1}'},
            "data_conflict",
        ),
        ({"a/a.rego": b"package a", "data.json": b'{"b": {"c": 1}}', "b/data.json": b'{"c": 1}'}, "data_conflict"),
        ({"a/a.rego": b"package a", ".manifest": b'{"roots": "a"}'}, "manifest_roots"),
        ({"a/a.rego": b"package a", "x/data.yaml": b"a: 1"}, "file_refused"),
        ({"../a.rego": b"package a"}, "file_refused"),
        ({"a/../../a.rego": b"package a"}, "file_refused"),
        ({"a b.rego": b"package a"}, "file_refused"),
        ({"a" * 300 + ".rego": b"package a"}, "file_refused"),
    ],
)
def test_what_is_no_bundle_is_refused_and_not_quoted(files: dict[str, bytes], code: str) -> None:
    with pytest.raises(BrokenBundle) as refused:
        read(tar(files))
    assert [fault.code for fault in refused.value.faults] == [code]


@pytest.mark.parametrize("archive", [b"", b"canary", gzip.compress(b"canary"), tar({"a.rego": b"package a"})[:-40]])
def test_what_is_no_gzipped_tar_is_refused(archive: bytes) -> None:
    with pytest.raises(BrokenBundle):
        read(archive)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(kind: bytes) -> None:
    with pytest.raises(BrokenBundle):
        read(tar({"decision/decision.rego": b""}, kind, "/etc/passwd"))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(BrokenBundle, match="too large"):
        read(gzip.compress(bytes(64 * 1024 * 1024)))


def configmap(folder: Path, name: str, files: dict[str, str]) -> None:
    """Put *files* into a mounted ConfigMap as kubelet does: a new folder, and one link swapped in one step."""
    (folder / name).mkdir(parents=True)
    for path, source in files.items():
        (folder / name / path.rpartition("/")[2]).write_text(source)
        link = folder / path.rpartition("/")[2]
        if not link.is_symlink():
            link.symlink_to(Path("..data") / link.name)
    (folder / "..tmp").symlink_to(name)
    os.replace(folder / "..tmp", folder / "..data")


def test_a_mounted_configmap_is_read_once_and_after_a_swap_anew(tmp_path: Path) -> None:
    data = {"data.json": '{"version": "7"}'}
    configmap(tmp_path, "..2026_1", sources() | data)
    first = read_folder(tmp_path)
    assert set(first.modules) == {path.rpartition("/")[2] for path in sources()}
    configmap(tmp_path, "..2026_2", sources(decision=decides("block")) | data)
    assert read_folder(tmp_path).version != first.version


def test_flat_and_in_folders_policies_are_the_same_version(tmp_path: Path) -> None:
    configmap(tmp_path / "flat", "..2026_1", sources() | {"data.json": '{"version": "7"}'})
    write(tmp_path / "deep", sources())
    assert read_folder(tmp_path / "flat").version == read_folder(tmp_path / "deep").version


def test_tests_do_not_change_the_version_but_rules_and_data_do(tmp_path: Path) -> None:
    first = bundle().version
    assert read_folder(write(tmp_path, sources() | holds("decision", "test_x if true"))).version == first
    assert bundle(decision=decides("block")).version != first
    assert read_folder(write(tmp_path, sources(), '{"version": "7", "more": 1}')).version != first


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenBundle):
        read_path(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("path", "roots", "inside"),
    [
        (("a", "b"), [""], True),
        (("a", "b"), ["a"], True),
        (("a", "b"), ["a/b"], True),
        (("ab",), ["a"], False),
        (("a",), ["a/b"], False),
        (("a",), [], False),
    ],
)
def test_roots_cover_whole_names(path: tuple[str, ...], roots: list[str], *, inside: bool) -> None:
    assert within(path, roots) is inside
