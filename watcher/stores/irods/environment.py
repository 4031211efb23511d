"""Reads `irods_environment.json`, the file that every iRODS client shares, and says plainly what is wrong with it."""

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from watcher.errors import ConfigurationError, LoginRefused
from watcher.redact import keep_secret

MIB = 1024 * 1024
_PAM = ("pam", "pam_password", "pam_interactive")
_POLICIES = ("CS_NEG_REQUIRE", "CS_NEG_REFUSE", "CS_NEG_DONT_CARE")
_VERIFY = ("hostname", "cert", "none")


class Encryption(NamedTuple):
    """The `irods_encryption_*` settings; the client library has no defaults for them, the iRODS manual has these."""

    algorithm: str
    key_size: int
    salt_size: int
    rounds: int


class KeepAlive(NamedTuple):
    """The `irods_tcp_keepalive_*` settings in seconds, so that a vanished server is noticed within two minutes."""

    idle: int
    interval: int
    probes: int


@dataclass(frozen=True, slots=True)
class Environment:
    """One iRODS account and how to reach it.

    `policies` are the TLS policies to negotiate with, tried in this order; none means no negotiation. `max_age` of a
    connection is in seconds, `single` the largest size in bytes that is sent as one message. What this program does not
    obey, knowingly: `irods_default_hash_scheme` (promise 3 needs SHA-256) and the settings of the iCommands alone.
    """

    file: Path
    host: str
    port: int
    user: str
    zone: str
    resource: str | None
    scheme: str
    auth_file: Path
    auth_uid: int | None
    policies: tuple[str, ...]
    verify: str
    ca_file: str | None
    ca_path: str | None
    encryption: Encryption
    keepalive: KeepAlive
    max_age: float
    single: int
    inline: str | None = field(repr=False)

    def __str__(self) -> str:
        return f"{self.user}#{self.zone} at {self.host}:{self.port}"

    def credentials(self) -> tuple[str, str]:
        """The scheme to log in with and its secret, read anew each time so that a renewed `iinit` needs no restart.

        The secret in `.irodsA` is a token of its own, used natively whatever scheme made it (irods/session.py:282).
        Raises LoginRefused.
        """
        if self.inline is not None and self.scheme == "pam_interactive":
            raise LoginRefused(
                f"{self.file}: pam_interactive asks questions that nobody is there to answer", cure=_IINIT
            )
        if self.inline is not None:
            return ("native" if self.scheme == "native" else "pam_password"), self.inline
        if self.user == "anonymous":
            return "native", ""
        return "native", self._stored()

    def ssl_context(self) -> ssl.SSLContext:
        """The system's certificates or the given CA; unlike python-irodsclient's own (irods/connection.py:219), no CA
        does not mean no verification. Raises ConfigurationError."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file, capath=self.ca_path)
        except OSError as error:
            what = f"{self.file}: the CA certificates in {self.ca_file or self.ca_path} cannot be read ({error})"
            raise ConfigurationError(what, cure="mend irods_ssl_ca_certificate_file or _path in that file") from error
        context.check_hostname = self.verify == "hostname"
        context.verify_mode = ssl.CERT_NONE if self.verify == "none" else ssl.CERT_REQUIRED
        return context

    def _stored(self) -> str:
        from irods.password_obfuscation import decode

        try:
            return keep_secret(str(decode(self.auth_file.read_text(encoding="utf-8").rstrip("\n"), self.auth_uid)))
        except FileNotFoundError:
            raise LoginRefused(f"{self.auth_file}: there is no stored login for {self}", cure=_IINIT) from None
        except (OSError, ValueError, IndexError) as error:
            raise LoginRefused(f"{self.auth_file}: the stored login cannot be read ({error})", cure=_IINIT) from error


_IINIT = "log in once with `iinit` as the watcher's own account, or give the password in the profile"


def read_environment(file: Path, password: str | None = None) -> Environment:
    """Read the file; `password` is kept in memory only. Raises ConfigurationError naming file, key and cure."""
    file = file.expanduser()
    settings = _Settings(file, _load(file))
    scheme = settings.choice("irods_authentication_scheme", ("native", *_PAM), "native", fold=str.lower)
    environment = Environment(
        file=file,
        host=settings.text("irods_host"),
        port=settings.number("irods_port", 1247, upto=65535),
        user=settings.text("irods_user_name"),
        zone=settings.text("irods_zone_name"),
        resource=settings.optional("irods_default_resource"),
        scheme="pam_password" if scheme == "pam" else scheme,
        auth_file=_auth_file(settings),
        auth_uid=_auth_uid(settings),
        policies=_policies(settings),
        verify=settings.choice("irods_ssl_verify_server", _VERIFY, "hostname", fold=str.lower),
        ca_file=settings.optional("irods_ssl_ca_certificate_file"),
        ca_path=settings.optional("irods_ssl_ca_certificate_path"),
        encryption=Encryption(
            settings.optional("irods_encryption_algorithm") or "AES-256-CBC",
            settings.number("irods_encryption_key_size", 32),
            settings.number("irods_encryption_salt_size", 8),
            settings.number("irods_encryption_num_hash_rounds", 16),
        ),
        keepalive=KeepAlive(
            settings.number("irods_tcp_keepalive_time_in_seconds", 30),
            settings.number("irods_tcp_keepalive_intvl_in_seconds", 10),
            settings.number("irods_tcp_keepalive_probes", 6),
        ),
        max_age=settings.number(
            "irods_connection_pool_refresh_time_in_seconds", settings.number("irods_connection_refresh_time", 600)
        ),
        # The agent keeps a single buffer in memory as a whole: never more than 32 MiB (irods-wire/README.md).
        single=min(settings.number("irods_maximum_size_for_single_buffer_in_megabytes", 32), 32) * MIB,
        inline=password,
    )
    if (
        password is not None
        and environment.scheme == "pam_password"
        and environment.policies in ((), ("CS_NEG_REFUSE",))
    ):
        raise settings.wrong(
            "irods_client_server_policy", "PAM sends the password itself, which needs TLS", "CS_NEG_REQUIRE"
        )
    return environment


@dataclass(frozen=True, slots=True)
class _Settings:
    """The keys of the file, each read with the message that its mistakes deserve."""

    file: Path
    values: Mapping[str, Any]

    def wrong(self, key: str, problem: str, cure: str) -> ConfigurationError:
        return ConfigurationError(f"{self.file}: {key}: {problem}", cure=f"set it to {cure} in that file")

    def optional(self, key: str) -> str | None:
        value = self.values.get(key)
        return str(value).strip() or None if value is not None else None

    def text(self, key: str) -> str:
        value = self.optional(key)
        if value is None:
            raise self.wrong(key, "it is missing", "what `ienv` shows where the iCommands work")
        return value

    def number(self, key: str, default: int, least: int = 1, upto: int = 2**31) -> int:
        value = self.optional(key)
        # iRODS itself writes -1 for "whatever is usual".
        if value is None or value == "-1":
            return default
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= upto:
            raise self.wrong(key, f"{value!r} is no number that fits", f"a whole number from {least} to {upto}")
        return int(value)

    def choice(self, key: str, known: tuple[str, ...], default: str, fold: Any = str.upper) -> str:
        value = str(fold(self.optional(key) or default))
        if value not in known:
            raise self.wrong(key, f"{value!r} is not supported", " or ".join(known))
        return value


def _load(file: Path) -> Mapping[str, Any]:
    cure = "give the right path as store.environment in the profile; `iinit` makes such a file"
    try:
        settings = json.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigurationError(f"{file}: this iRODS environment file is not there", cure=cure) from None
    except OSError as error:
        raise ConfigurationError(f"{file}: it cannot be read ({error.strerror})", cure=cure) from error
    except ValueError as error:
        raise ConfigurationError(
            f"{file}: it is not JSON ({error})", cure="mend it, or write it again with `iinit`"
        ) from None
    if not isinstance(settings, dict):
        raise ConfigurationError(f"{file}: it holds no settings", cure="write it again with `iinit`")
    return settings


def _auth_file(settings: _Settings) -> Path:
    named = settings.optional("irods_authentication_file") or os.environ.get("IRODS_AUTHENTICATION_FILE")
    return Path(named or "~/.irods/.irodsA").expanduser()


def _auth_uid(settings: _Settings) -> int | None:
    key = "irods_authentication_uid"
    return settings.number(key, 0, least=0) if settings.optional(key) else None


def _policies(settings: _Settings) -> tuple[str, ...]:
    policy = settings.choice("irods_client_server_policy", _POLICIES, "CS_NEG_REFUSE")
    asked = settings.optional("irods_client_server_negotiation") == "request_server_negotiation"
    # Whoever requires TLS must not get plain text because the other key was forgotten.
    if policy == "CS_NEG_REQUIRE":
        return (policy,)
    if not asked:
        return ()
    # The client library knows only the other two. In iRODS's own table this one means TLS unless the server refuses.
    return ("CS_NEG_REQUIRE", "CS_NEG_REFUSE") if policy == "CS_NEG_DONT_CARE" else (policy,)
