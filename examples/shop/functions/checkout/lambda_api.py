"""Invokes Lambda functions with the standard library alone, signed as AWS wants it (SigV4).

The endpoint comes from `AWS_ENDPOINT_URL_LAMBDA` or `AWS_ENDPOINT_URL`, which the local cloud sets
for the functions it runs; without them it is AWS itself. Each function is packaged alone, so each
that calls others carries its own copy of this file.
"""

import datetime
import hashlib
import hmac
import json
import os
import urllib.error
import urllib.parse
import urllib.request


class InvokeError(Exception):
    """The function was not reached, or it raised."""


def invoke(function, event, qualifier=None):
    """The answer of a function, and the version that gave it.

    `function` is a name or an ARN; `qualifier` is an alias or a version.
    """
    path = f"/2015-03-31/functions/{urllib.parse.quote(function, safe='')}/invocations"
    query = f"Qualifier={urllib.parse.quote(qualifier, safe='')}" if qualifier else ""
    body = json.dumps(event).encode()
    request = urllib.request.Request(
        f"{_endpoint()}{path}{'?' + query if query else ''}",
        data=body,
        method="POST",
        headers=_signed(path, query, body),
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            answer = json.loads(response.read() or b"null")
            failed = response.headers.get("X-Amz-Function-Error")
            version = response.headers.get("X-Amz-Executed-Version")
    except urllib.error.HTTPError as error:
        detail = error.read().decode(errors="replace")
        raise InvokeError(f"{function}: {error.code} {detail}") from error
    except urllib.error.URLError as error:
        raise InvokeError(f"{function}: {error.reason}") from error
    if failed:
        raise InvokeError(f"{function} raised {answer}")
    return answer, version


def _region():
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def _endpoint():
    own = os.environ.get("AWS_ENDPOINT_URL_LAMBDA") or os.environ.get("AWS_ENDPOINT_URL")
    return (own or f"https://lambda.{_region()}.amazonaws.com").rstrip("/")


def _signed(path, query, body):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/json",
        "host": urllib.parse.urlsplit(_endpoint()).netloc,
        "x-amz-date": now,
    }
    if token := os.environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        [
            "POST",
            # All services but S3 have the path quoted once more.
            urllib.parse.quote(path, safe="/"),
            query,
            *(f"{name}:{headers[name]}" for name in sorted(headers)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{now[:8]}/{_region()}/lambda/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + os.environ.get("AWS_SECRET_ACCESS_KEY", "").encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    identity = f"{os.environ.get('AWS_ACCESS_KEY_ID', '')}/{scope}"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={identity}, SignedHeaders={names}, Signature={signature}"
    )
    return headers
