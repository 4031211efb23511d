"""What `irods_environment.json` may say, and what is said of its mistakes."""

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from watcher.errors import ConfigurationError, LoginRefused
from watcher.stores.irods.environment import Encryption, Environment, KeepAlive, read_environment

NEEDED = {
    "irods_host": "irods.example",
    "irods_port": 1247,
    "irods_user_name": "svc",
    "irods_zone_name": "z",
}
NEGOTIATE = {"irods_client_server_negotiation": "request_server_negotiation"}


def read(tmp_path: Path, password: str | None = None, **changes: Any) -> Environment:
    file = tmp_path / "env.json"
    file.write_text(json.dumps(NEEDED | changes), encoding="utf-8")
    return read_environment(file, password)


def test_defaults_are_those_of_irods(tmp_path: Path) -> None:
    environment = read(tmp_path)
    assert environment.encryption == Encryption("AES-256-CBC", 32, 8, 16)
    assert environment.keepalive == KeepAlive(30, 10, 6)
    assert (environment.scheme, environment.policies, environment.verify) == ("native", (), "hostname")
    assert (environment.single, environment.max_age, environment.resource) == (32 * 1024 * 1024, 600, None)
    assert str(environment) == "svc#z at irods.example:1247"


def test_everything_that_is_set_is_obeyed(tmp_path: Path) -> None:
    environment = read(
        tmp_path,
        irods_port="1347",
        irods_default_resource="imagesResc",
        irods_authentication_file="/secrets/.irodsA",
        irods_encryption_algorithm="AES-128-CBC",
        irods_encryption_key_size=16,
        irods_encryption_salt_size=4,
        irods_encryption_num_hash_rounds=8,
        irods_maximum_size_for_single_buffer_in_megabytes=8,
        irods_connection_pool_refresh_time_in_seconds=120,
        irods_tcp_keepalive_time_in_seconds=60,
        irods_tcp_keepalive_probes=-1,
    )
    assert environment.port == 1347
    assert environment.resource == "imagesResc"
    assert environment.auth_file == Path("/secrets/.irodsA")
    assert environment.encryption == Encryption("AES-128-CBC", 16, 4, 8)
    assert environment.keepalive == KeepAlive(60, 10, 6)
    assert (environment.single, environment.max_age) == (8 * 1024 * 1024, 120)
    assert read(tmp_path, irods_maximum_size_for_single_buffer_in_megabytes=500).single == 32 * 1024 * 1024
    assert read(tmp_path, irods_connection_refresh_time=300).max_age == 300


@pytest.mark.parametrize(
    ("settings", "policies"),
    [
        ({}, ()),
        (NEGOTIATE, ("CS_NEG_REFUSE",)),
        ({"irods_client_server_policy": "CS_NEG_DONT_CARE"}, ()),
        ({**NEGOTIATE, "irods_client_server_policy": "cs_neg_dont_care"}, ("CS_NEG_REQUIRE", "CS_NEG_REFUSE")),
        ({**NEGOTIATE, "irods_client_server_policy": "CS_NEG_REQUIRE"}, ("CS_NEG_REQUIRE",)),
        ({"irods_client_server_policy": "CS_NEG_REQUIRE"}, ("CS_NEG_REQUIRE",)),
    ],
)
def test_required_tls_needs_no_second_key(tmp_path: Path, settings: dict[str, str], policies: tuple[str, ...]) -> None:
    assert read(tmp_path, **settings).policies == policies


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"irods_host": None}, "irods_host: it is missing"),
        ({"irods_user_name": " "}, "irods_user_name: it is missing"),
        ({"irods_port": "abc"}, "irods_port: 'abc' is no number"),
        ({"irods_port": 70000}, "irods_port: '70000' is no number"),
        ({"irods_encryption_key_size": 1.5}, "irods_encryption_key_size"),
        ({"irods_authentication_scheme": "gsi"}, "'gsi' is not supported; set it to native or pam"),
        ({"irods_client_server_policy": "YES"}, "'YES' is not supported"),
        ({"irods_ssl_verify_server": "maybe"}, "'maybe' is not supported"),
    ],
)
def test_a_mistake_names_file_key_and_cure(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, **changes)
    assert words in str(caught.value)
    assert str(tmp_path / "env.json") in str(caught.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.json: this iRODS environment file is not there.*iinit"):
        read_environment(tmp_path / "none.json")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_environment(tmp_path)
    for text, words in (("{", "it is not JSON"), ("[1]", "it holds no settings")):
        (tmp_path / "env.json").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError, match=words):
            read_environment(tmp_path / "env.json")


@pytest.mark.parametrize("spelling", ["pam", "PAM", "pam_password"])
def test_pam_by_any_name(tmp_path: Path, spelling: str) -> None:
    required = {"irods_client_server_policy": "CS_NEG_REQUIRE", "irods_authentication_scheme": spelling}
    environment = read(tmp_path, "secret", **required)
    assert environment.credentials() == ("pam_password", "secret")
    assert "secret" not in repr(environment)
    with pytest.raises(ConfigurationError, match="needs TLS"):
        read(tmp_path, "secret", irods_authentication_scheme=spelling)


def test_interactive_pam_needs_a_stored_login(tmp_path: Path) -> None:
    environment = read(tmp_path, "secret", irods_authentication_scheme="pam_interactive")
    with pytest.raises(LoginRefused, match="iinit"):
        environment.credentials()


def test_the_anonymous_have_no_secret(tmp_path: Path) -> None:
    assert read(tmp_path, irods_user_name="anonymous").credentials() == ("native", "")


@pytest.mark.parametrize(
    ("verify", "mode", "host"),
    [
        (None, ssl.CERT_REQUIRED, True),
        ("hostname", ssl.CERT_REQUIRED, True),
        ("cert", ssl.CERT_REQUIRED, False),
        ("none", ssl.CERT_NONE, False),
    ],
)
def test_only_none_switches_verification_off(
    tmp_path: Path,
    verify: str | None,
    mode: ssl.VerifyMode,
    host: bool,
) -> None:
    context = read(tmp_path, irods_ssl_verify_server=verify).ssl_context()
    assert (context.verify_mode, context.check_hostname) == (mode, host)


def test_a_ca_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.pem cannot be read"):
        read(tmp_path, irods_ssl_ca_certificate_file=str(tmp_path / "none.pem")).ssl_context()
