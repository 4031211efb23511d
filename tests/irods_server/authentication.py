"""Who is on the other side: the JSON flow of API 110000, schemes native and pam_password (iRODS 4.3 and 5)."""

import base64
import hashlib
import hmac
import secrets
from typing import Any

from .catalogue import Catalogue
from .codes import Code, RefusedError
from .entities import User

MAX_PASSWORD_LENGTH = 50


def native_digest(challenge: str, password: str) -> str:
    """The answer to a challenge: MD5 over it and the padded password, with no zero bytes (iRODS obf.cpp)."""
    padded = password.encode().ljust(MAX_PASSWORD_LENGTH, b"\0")[:MAX_PASSWORD_LENGTH]
    digest = hashlib.md5(challenge.encode() + padded, usedforsecurity=False).digest()
    return base64.b64encode(digest.replace(b"\0", b"\1")).decode()


class Authentication:
    """The state of one agent's login."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._challenge = ""
        self.user: User | None = None

    def step(self, request: dict[str, Any], *, encrypted: bool) -> dict[str, Any]:
        """One round of the flow: what the client sent comes back with the result added."""
        operation = request.get("next_operation")
        if operation == "auth_agent_auth_request" and request.get("scheme") == "pam_password":
            return request | {"request_result": self._pam_token(request, encrypted=encrypted)}
        if operation == "auth_agent_auth_request":
            self._challenge = secrets.token_hex(32)
            return request | {"request_result": self._challenge}
        if operation == "auth_agent_auth_response":
            self._check_digest(self._user(request), str(request.get("digest")))
            return request
        raise RefusedError(Code.SYS_INVALID_INPUT_PARAM)

    def _user(self, request: dict[str, Any]) -> User:
        """Who this is; one of another zone is vouched for by that, and here by the password that it has here."""
        user = self._catalogue.user(str(request.get("user_name")), str(request.get("zone_name") or ""))
        if user.type == "rodsgroup":
            raise RefusedError(Code.CAT_INVALID_USER)
        return user

    def _check_digest(self, user: User, digest: str) -> None:
        accepted = [*user.tokens] if user.password is None else [user.password, *user.tokens]
        if not self._challenge or not any(
            hmac.compare_digest(native_digest(self._challenge, secret), digest) for secret in accepted
        ):
            raise RefusedError(Code.CAT_INVALID_AUTHENTICATION)
        self.user = user

    def _pam_token(self, request: dict[str, Any], *, encrypted: bool) -> str:
        """A generated password for the native round that follows; only ever over TLS (iRODS pam_password.cpp)."""
        if not encrypted:
            raise RefusedError(Code.SYS_NOT_ALLOWED)
        user = self._catalogue.users.get(str(request.get("user_name")))
        if user is None or user.password is None or request.get("a_pw") != user.password:
            raise RefusedError(Code.PAM_AUTH_PASSWORD_FAILED)
        token = secrets.token_hex(16)
        user.tokens.add(token)
        return token
