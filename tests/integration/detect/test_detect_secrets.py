import pytest

from .conftest import Found

DETECTOR = "detect-secrets"

# Put together here, so that no scanner takes this file for a leak.
AWS = "AKIA" + "QYLPMN5HNM4HKPQ2"
GITHUB = "ghp_" + "wWPw5k4aXcaT4fNP0UcnZwJUVFk6LO0pINUx"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA " + "PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("label", "text", "value"),
    [
        ("AWS Access Key", f"export KEY={AWS}\n", AWS),
        ("GitHub Token", f"first line\r\nuse {GITHUB} here", GITHUB),
        ("Secret Keyword", "line\npassword: 'hunter2secret!'\n", "hunter2secret!"),
        ("Basic Auth Credentials", "get https://bob:s3cretpass@example.com/x", "s3cretpass"),
        ("Private Key", f"see\n{KEY}\nend", KEY),
    ],
)
def test_it_is_found_with_its_span(found: Found, label: str, text: str, value: str) -> None:
    assert (label, value) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        f"export KEY={AWS[:-2]}",
        "the commit is 3f786850e387550fdab836ed7e6dc881de23001b",
        "the password is something you should not share",
        "password: ${DB_PASSWORD}",
        "id 6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    ],
)
def test_a_near_miss_is_not(found: Found, text: str) -> None:
    assert found(text) == []


def test_a_secret_twice_on_a_line_has_two_spans(found: Found) -> None:
    assert found(f"{AWS} {AWS}").count(("AWS Access Key", AWS)) == 2


def test_the_text_cannot_excuse_itself_with_a_comment(found: Found) -> None:
    assert ("AWS Access Key", AWS) in found(f"KEY={AWS}  # pragma: allowlist secret")
