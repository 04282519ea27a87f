"""AWS Signature Version 4, by botocore: imported only where an adapter asks for it."""

from collections.abc import Mapping
from typing import Any

from llama_mapper.contracts.problems import Unavailable


class Signer:
    """Signs for *service* in *region* with *keys*, ``id:secret[:session token]``.

    Without keys with those that AWS's own chain finds: a web identity, the container's or the machine's role.
    """

    def __init__(self, service: str, region: str, keys: str | None) -> None:
        self._service, self._region = service, region
        self._found: Any = None
        if keys is not None:
            from botocore.credentials import Credentials

            self._found = Credentials(*keys.split(":", 2))

    def sign(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        """Return *headers* and those of the signature; may ask the machine for its role, so call it in a thread.

        Raises:
            Unavailable: there are no keys.
        """
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError

        try:
            if self._found is None:
                import botocore.session

                self._found = botocore.session.get_session().get_credentials()
            frozen = self._found.get_frozen_credentials() if self._found else None
        except BotoCoreError:
            frozen = None
        if frozen is None:
            raise Unavailable("there are no AWS credentials to sign with", retry_after_seconds=5)
        request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
        SigV4Auth(frozen, self._service, self._region).add_auth(request)
        return {str(name): str(value) for name, value in request.headers.items()}
