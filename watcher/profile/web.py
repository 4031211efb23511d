"""The page that the watcher shows: where it is to be reached, who may see names, and who may order anything."""

import ipaddress
import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from watcher.profile.base import LocalPath, Section, Text
from watcher.profile.secret import Secret

#: Headers that every browser sends itself, so that they say nothing of who it is.
_EVERYBODYS: Final = frozenset({"accept", "connection", "content-type", "cookie", "host", "origin", "user-agent"})


def _an_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError(f"{text!r} is no address of a computer; write one like 127.0.0.1 or 10.0.0.5") from None


def _a_host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", text):
        raise ValueError(f"{text!r} is no name of a computer; write one like scope1.example.org, without port or /")
    return text.lower()


def _a_header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", text) or text.lower() in _EVERYBODYS:
        raise ValueError(f"{text!r} is no header for a user's name; write one like X-Remote-User")
    return text


class Proxy(Section):
    """A web server before this one that knows who its users are."""

    header: Annotated[Text, AfterValidator(_a_header)] = Field(
        description="The header in which it says who the user is; it must take it away where a browser sent it.",
        examples=["X-Remote-User"],
    )
    address: Annotated[Text, AfterValidator(_an_address)] = Field(
        description="The address that it comes from; from any other one the header means nothing.",
        examples=["10.0.0.5"],
    )


class Web(Section):
    """The page for people, and the same for programs under /api/v1."""

    enabled: bool = Field(default=True, strict=True, description="false: there is no page.", examples=[True])
    port: int = Field(
        default=8765, strict=True, ge=0, le=65535, description="Its port; 0: any that is free.", examples=[8765]
    )
    actions: bool = Field(
        default=True, strict=True, description="Whether anything can be ordered there.", examples=[True]
    )
    people: bool = Field(
        default=False,
        strict=True,
        description="Names of persons are shown to whoever is at this computer, and not only to those who gave the "
        "password or come by the proxy.",
        examples=[False],
    )
    password: Secret | None = Field(
        default=None,
        description="Where the password is kept without which nothing can be ordered, and nothing be seen from another "
        "computer; absent: whoever is at this computer may order.",
        examples=[{"file": "/etc/irods-watcher/page"}],
    )
    proxy: Proxy | None = Field(
        default=None,
        description="A web server before it that says who the user is; absent: none.",
        examples=[{"header": "X-Remote-User", "address": "10.0.0.5"}],
    )
    certificate: LocalPath | None = Field(
        default=None,
        description="The certificate for TLS (PEM), with those between it and the authority; absent: no TLS.",
        examples=["/etc/irods-watcher/page.pem"],
    )
    key: LocalPath | None = Field(
        default=None, description="The key of that certificate (PEM).", examples=["/etc/irods-watcher/page.key"]
    )
    hosts: tuple[Annotated[Text, AfterValidator(_a_host)], ...] = Field(
        default=(),
        description="By which other names browsers reach it, besides localhost and what listen says.",
        examples=[["scope1.example.org"]],
    )
    listen: Annotated[Text, AfterValidator(_an_address)] = Field(
        default="127.0.0.1",
        description="The address on which it listens: that of this computer itself, one of its others, or 0.0.0.0 for "
        "all; for any but 127.0.0.1 it needs a password and TLS, or a proxy.",
        examples=["127.0.0.1"],
    )

    @field_validator("key")
    @classmethod
    def _belongs_to_a_certificate(cls, key: LocalPath | None, info: ValidationInfo) -> LocalPath | None:
        certificate = info.data.get("certificate", ...)
        if certificate is not ... and (key is None) != (certificate is None):
            raise ValueError("certificate and key belong together; write both, or none")
        return key

    @field_validator("listen")
    @classmethod
    def _is_guarded(cls, listen: str, info: ValidationInfo) -> str:
        known = info.data
        if not known.get("enabled") or ipaddress.ip_address(listen).is_loopback or known.get("proxy", ...):
            return listen
        if not known.get("password", ...):
            raise ValueError(
                f"on {listen} other computers reach the page; write a password beside it (or a proxy), or listen on "
                "127.0.0.1"
            )
        if not known.get("certificate", ...):
            raise ValueError(
                f"on {listen} the password could be read on the way; write certificate and key beside it (or a proxy), "
                "or listen on 127.0.0.1"
            )
        return listen

    @property
    def is_local(self) -> bool:
        """Whether only this computer reaches it."""
        return ipaddress.ip_address(self.listen).is_loopback
