"""Addresses that callers give us to call: a host by name, a plain path, and no room for anything else.

No user, password, query or fragment (they would carry keys into logs), no literal address and no single-label host.
To what address a name resolves is for the one who calls it to check, each time.
"""

from typing import Annotated

from pydantic import StringConstraints

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?"
_IN_CLUSTER = rf"(?:{_LABEL}\.){{2}}svc(?:\.cluster\.local)?"
_PORT = r"(?::[1-9][0-9]{0,4})?"
_PATH = r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?"

AbsolutePath = Annotated[str, StringConstraints(pattern=rf"^{_PATH}$", max_length=128)]

HttpsUrl = Annotated[str, StringConstraints(pattern=rf"^https://{_HOST}{_PORT}(?:/|{_PATH})?$", max_length=512)]

ServiceUrl = Annotated[
    str,
    StringConstraints(
        pattern=rf"^(?:https://{_HOST}|http://{_IN_CLUSTER}){_PORT}(?:/|{_PATH})?$",
        max_length=512,
    ),
]
"""https, or http to a Kubernetes Service (``name.namespace.svc``), where the mesh encrypts."""

DetectorUrl = Annotated[
    str,
    StringConstraints(
        pattern=rf"^(?:https://{_HOST}|http://(?:{_IN_CLUSTER}|127\.0\.0\.1)){_PORT}(?:/|{_PATH})?$",
        max_length=512,
    ),
]
"""A ``ServiceUrl``, or http on the machine itself, which counts only where the settings let it."""
