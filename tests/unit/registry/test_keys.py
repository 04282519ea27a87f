import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from llama_mapper.registry.errors import KeyFault, Untrusted
from llama_mapper.registry.keys import Keyring, SigningKey

DATA = b'{"version": "v1"}\n'


def signature(key: SigningKey, data: bytes = DATA) -> bytes:
    return key.sign(data).model_dump_json().encode()


def test_a_key_that_was_written_is_read_and_its_signature_trusted(tmp_path: Path) -> None:
    made = SigningKey.generate()
    public = made.write(tmp_path / "keys" / "signing.pem", tmp_path / "trusted")
    read = SigningKey.read(str(tmp_path / "keys" / "signing.pem"))
    assert (read.key_id, public.name) == (made.key_id, f"{made.key_id}.pem")
    assert Keyring.read(tmp_path / "trusted").check(DATA, signature(read)) == made.key_id


def test_the_private_key_is_its_owners_alone(tmp_path: Path) -> None:
    SigningKey.generate().write(tmp_path / "signing.pem", tmp_path / "trusted")
    assert stat.S_IMODE((tmp_path / "signing.pem").stat().st_mode) == 0o600
    assert b"PRIVATE" not in next((tmp_path / "trusted").iterdir()).read_bytes()


def test_a_private_key_is_never_overwritten(tmp_path: Path) -> None:
    SigningKey.generate().write(tmp_path / "signing.pem", tmp_path / "trusted")
    before = (tmp_path / "signing.pem").read_bytes()
    with pytest.raises(KeyFault, match="is there already"):
        SigningKey.generate().write(tmp_path / "signing.pem", tmp_path / "trusted")
    assert (tmp_path / "signing.pem").read_bytes() == before
    assert len(list((tmp_path / "trusted").iterdir())) == 1


def test_a_key_can_be_given_as_text(tmp_path: Path) -> None:
    made = SigningKey.generate()
    made.write(tmp_path / "signing.pem", tmp_path / "trusted")
    assert SigningKey.read((tmp_path / "signing.pem").read_text()).key_id == made.key_id


def test_several_keys_are_trusted_at_once_until_one_is_taken_away(tmp_path: Path) -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    old.write(tmp_path / "old.pem", tmp_path / "trusted")
    new.write(tmp_path / "new.pem", tmp_path / "trusted")
    both = Keyring.read(tmp_path / "trusted")
    assert set(both.ids) == {old.key_id, new.key_id}
    assert [both.check(DATA, signature(one)) for one in (old, new)] == [old.key_id, new.key_id]
    (tmp_path / "trusted" / f"{old.key_id}.pem").unlink()
    with pytest.raises(Untrusted, match=f"the key {old.key_id}, which is not trusted"):
        Keyring.read(tmp_path / "trusted").check(DATA, signature(old))


def test_signing_twice_gives_the_same_signature() -> None:
    key = SigningKey.generate()
    assert key.sign(DATA) == key.sign(DATA)


def test_a_signature_of_other_bytes_is_refused() -> None:
    key = SigningKey.generate()
    with pytest.raises(Untrusted, match="not one of this manifest"):
        Keyring(key.public).check(DATA + b" ", signature(key))


def test_a_signature_under_another_keys_name_is_refused() -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    forged = other.sign(DATA).model_copy(update={"key_id": key.key_id}).model_dump_json().encode()
    with pytest.raises(Untrusted, match="not one of this manifest"):
        Keyring(key.public).check(DATA, forged)


@pytest.mark.parametrize("broken", [b"", b"{}", b"\xff", b'{"key_id": "../../x", "signature": "x"}'])
def test_what_is_no_signature_is_refused(broken: bytes) -> None:
    with pytest.raises(Untrusted, match="cannot be read"):
        Keyring(SigningKey.generate().public).check(DATA, broken)


def _other_kind() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _locked() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no key", "not a private key in PEM"),
        (_locked(), "without a password"),
        (_other_kind(), "not an Ed25519 key"),
        (None, "cannot be read: No such file"),
    ],
    ids=["text", "locked", "elliptic", "absent"],
)
def test_what_cannot_sign_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / "key.pem").write_bytes(content)
    with pytest.raises(KeyFault, match=says):
        SigningKey.read(str(tmp_path / "key.pem"))


def test_a_folder_without_keys_trusts_nobody(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(KeyFault, match="no trusted key"):
        Keyring.read(tmp_path)
    with pytest.raises(KeyFault, match="no trusted key"):
        Keyring.read(tmp_path / "nowhere")


def test_a_private_key_among_the_trusted_ones_is_refused(tmp_path: Path) -> None:
    SigningKey.generate().write(tmp_path / "signing.pem", tmp_path)
    with pytest.raises(KeyFault, match=r"signing\.pem is not a public key"):
        Keyring.read(tmp_path)


def test_a_public_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    (tmp_path / "a.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(KeyFault, match="not an Ed25519 public key"):
        Keyring.read(tmp_path)
