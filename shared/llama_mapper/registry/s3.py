"""Models in an S3 bucket: AWS, MinIO, SeaweedFS or another store that honours ``If-Match`` and ``If-None-Match``.

Endpoint, region and credentials are the SDK's business (``AWS_ENDPOINT_URL_S3``, ``AWS_PROFILE``, a pod's role …).
"""

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .errors import Unreachable
from .storage import Blob, Changed, Exists

_ABSENT = {"NoSuchKey", "404"}
# 412: the condition does not hold. 409: another conditional write of the same key was under way.
_REFUSED = {"PreconditionFailed", "ConditionalRequestConflict"}


class _Absent(Exception):
    pass


class _Refused(Exception):
    pass


def connect() -> Any:
    """Return a client as the environment configures it.

    Raises:
        Unreachable: boto3 is not installed, or what is configured cannot be used.
    """
    try:
        from boto3.session import Session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise Unreachable("a registry in S3 needs boto3: pip install 'llama-mapper[registry]'") from error
    own = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    config = Config(
        connect_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 3},
        # A store of one's own rarely answers to bucket.host; AWS does, and wants it.
        s3={"addressing_style": "path"} if own else None,
        # SHA-256 goes with every object and is checked after reading; not every store knows the SDK's own checksums.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        # A signature names a region; a store of one's own takes any.
        return Session().client("s3", config=config, region_name=named or ("us-east-1" if own else None))
    except (BotoCoreError, ValueError) as error:
        raise Unreachable(f"S3 cannot be used as configured ({type(error).__name__})") from error


class S3Storage:
    """Each object is one below *prefix* in *bucket*, which must be there."""

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def read(self, key: str) -> Blob | None:
        try:
            with self._speaking():
                answer = self._client.get_object(**self._at(key))
                return Blob(answer["Body"].read(), answer["ETag"], answer["LastModified"])
        except _Absent:
            return None

    def digest(self, key: str) -> str | None:
        try:
            with self._speaking():
                stated = self._client.head_object(**self._at(key))["Metadata"].get("sha256")
        except _Absent:
            return None
        if stated:  # the store compared it with the body when it took them
            return str(stated)
        blob = self.read(key)
        return hashlib.sha256(blob.data).hexdigest() if blob else None

    def create(self, key: str, data: bytes) -> None:
        try:
            self._put(key, data, IfNoneMatch="*")
        except _Refused as error:
            raise Exists(key) from error

    def replace(self, key: str, data: bytes, etag: str) -> None:
        try:
            self._put(key, data, IfMatch=etag)
        except (_Absent, _Refused) as error:
            raise Changed(key) from error

    def delete(self, key: str) -> None:
        with self._speaking():
            self._client.delete_object(**self._at(key))

    def names(self, prefix: str) -> list[str]:
        below = self._prefix + prefix
        found: set[str] = set()
        with self._speaking():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=below, Delimiter="/"
            )
            for page in pages:
                found.update(one["Prefix"].removeprefix(below).rstrip("/") for one in page.get("CommonPrefixes", ()))
                found.update(one["Key"].removeprefix(below) for one in page.get("Contents", ()))
        return sorted(found - {""})

    def _put(self, key: str, data: bytes, **condition: str) -> None:
        digest = hashlib.sha256(data)
        with self._speaking():
            self._client.put_object(
                **self._at(key),
                Body=data,
                ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
                Metadata={"sha256": digest.hexdigest()},
                **condition,
            )

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Translate the SDK's errors; its messages may hold addresses and signatures, so only codes are kept."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if code in _ABSENT:
                raise _Absent from error
            if code in _REFUSED:
                raise _Refused from error
            raise Unreachable(f"the bucket {self._bucket} cannot be used: {code}") from error
        except BotoCoreError as error:
            raise Unreachable(f"the bucket {self._bucket} cannot be used: {type(error).__name__}") from error
