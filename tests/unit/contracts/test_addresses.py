"""An address from a caller is a host by name and a plain path; everything that could carry more is refused."""

import pytest
from pydantic import TypeAdapter, ValidationError

from llama_mapper.contracts.addresses import AbsolutePath, HttpsUrl, ServiceUrl

HTTPS: TypeAdapter[str] = TypeAdapter(HttpsUrl)
SERVICE: TypeAdapter[str] = TypeAdapter(ServiceUrl)
PATH: TypeAdapter[str] = TypeAdapter(AbsolutePath)

ANYWHERE = [
    "https://example.org",
    "https://example.org/",
    "https://hooks.example.org:8443/jobs/done/",
    "https://xn--mnchen-3ya.example/a_b~c.d-e",
    "https://a.b.svc.cluster.local/detect",
]
IN_THE_CLUSTER = [
    "http://judge.team-a.svc",
    "http://judge.team-a.svc:8080/detect",
    "http://judge.team-a.svc.cluster.local/detect",
]
NOWHERE = [
    pytest.param("", id="empty"),
    pytest.param("example.org", id="no scheme"),
    pytest.param("http://example.org", id="in the clear"),
    pytest.param("http://judge.svc", id="no namespace"),
    pytest.param("http://judge.team-a.svc.example.org", id="only looks like a Service"),
    pytest.param("http://judge.team-a.svc@example.org", id="a Service as a user"),
    pytest.param("ftp://example.org", id="another scheme"),
    pytest.param("HTTPS://EXAMPLE.ORG", id="upper case"),
    pytest.param("https://localhost/", id="single label"),
    pytest.param("https://127.0.0.1/", id="IPv4"),
    pytest.param("https://127.1/", id="short IPv4"),
    pytest.param("https://2130706433/", id="IPv4 as a number"),
    pytest.param("https://10.0.0.0x1/", id="IPv4 in hex"),
    pytest.param("https://[::1]/", id="IPv6"),
    pytest.param("https://ada:secret@example.org/", id="user and password"),
    pytest.param("https://example.org\\@example.com/", id="backslash"),
    pytest.param("https://example.org/?key=secret", id="query"),
    pytest.param("https://example.org/#part", id="fragment"),
    pytest.param("https://example.org/%2e%2e/", id="percent encoding"),
    pytest.param("https://example.org/../admin", id="dots"),
    pytest.param("https://example.org//admin", id="empty segment"),
    pytest.param("https://example.org:0/", id="port 0"),
    pytest.param("https://example.org:/", id="no port"),
    pytest.param("https://example.org./", id="rooted name"),
    pytest.param("https://-x.example.org/", id="hyphen first"),
    pytest.param("https://exämple.org/", id="not in ASCII"),
    pytest.param("https://example.org/\n", id="newline"),
    pytest.param("https://example.org/two words", id="blank"),
    pytest.param("https://example.org/ada@example.org", id="e-mail"),
    pytest.param("https://example.org/" + "x" * 500, id="too long"),
]


@pytest.mark.parametrize("url", ANYWHERE)
def test_https_by_name_passes_everywhere(url: str) -> None:
    assert (HTTPS.validate_python(url), SERVICE.validate_python(url)) == (url, url)


@pytest.mark.parametrize("url", IN_THE_CLUSTER)
def test_http_passes_for_a_service_of_the_cluster(url: str) -> None:
    assert SERVICE.validate_python(url) == url


@pytest.mark.parametrize("url", [*NOWHERE, *IN_THE_CLUSTER])
def test_anything_but_https_by_name_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        HTTPS.validate_python(url)


@pytest.mark.parametrize("url", NOWHERE)
def test_what_is_neither_https_nor_a_service_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        SERVICE.validate_python(url)


@pytest.mark.parametrize("path", ["/health", "/v2/health/ready", "/health/"])
def test_a_plain_path_passes(path: str) -> None:
    assert PATH.validate_python(path) == path


@pytest.mark.parametrize("path", ["", "/", "health", "//host/x", "/..", "/a/../b", "/a?b", "/a b", "/" + "x" * 128])
def test_any_other_path_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        PATH.validate_python(path)
