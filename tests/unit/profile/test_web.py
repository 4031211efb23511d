"""The section `web`: nobody else reaches the page unless the profile guards it."""

from pathlib import Path

import pytest

from watcher.errors import ProfileError
from watcher.profile import Web, load

BEGINNING = "instrument: {name: LSM980-2}\nwatch: [{path: data}]\nstore: {kind: folder, path: archive}\n"
PASSWORD = "password: {env: PAGE_PASSWORD}"
TLS = "certificate: page.pem, key: page.key"
PROXY = "proxy: {header: X-Remote-User, address: 10.0.0.5}"


def read(folder: Path, section: str) -> Web:
    path = folder / "lab.yaml"
    path.write_text(f"{BEGINNING}{section and f'web: {section}'}\n", encoding="utf-8")
    return load(path).web


def refused(folder: Path, section: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        read(folder, section)
    return [problem.removeprefix(f"{folder / 'lab.yaml'}:") for problem in caught.value.problems]


def test_a_page_is_on_this_computer_alone_and_shows_no_names(tmp_path: Path) -> None:
    web = read(tmp_path, "")
    assert (web.enabled, web.listen, web.port, web.is_local) == (True, "127.0.0.1", 8765, True)
    assert (web.actions, web.people, web.password, web.proxy) == (True, False, None, None)
    assert not read(tmp_path, "{enabled: false}").enabled


@pytest.mark.parametrize("listen", ["0.0.0.0", "192.168.1.7", "'::'"])  # noqa: S104
def test_elsewhere_it_needs_a_password_and_tls_or_a_proxy(tmp_path: Path, listen: str) -> None:
    plain = listen.strip("'")
    (problem,) = refused(tmp_path, f"{{listen: {listen}}}")
    assert f"web.listen: on {plain} other computers reach the page; write a password beside it" in problem
    (problem,) = refused(tmp_path, f"{{listen: {listen}, {TLS}}}")
    assert "write a password beside it" in problem
    (problem,) = refused(tmp_path, f"{{listen: {listen}, {PASSWORD}}}")
    assert f"web.listen: on {plain} the password could be read on the way; write certificate and key" in problem
    assert not read(tmp_path, f"{{listen: {listen}, {PASSWORD}, {TLS}}}").is_local
    assert not read(tmp_path, f"{{listen: {listen}, {PROXY}}}").is_local
    assert not read(tmp_path, f"{{listen: {listen}, enabled: false}}").enabled


@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.2", "'::1'"])
def test_this_computer_itself_is_known_by_its_addresses(tmp_path: Path, listen: str) -> None:
    assert read(tmp_path, f"{{listen: {listen}}}").is_local


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("{listen: localhost}", "web.listen: 'localhost' is no address of a computer; write one like 127.0.0.1"),
        ("{certificate: a.pem}", "web.key: there is nothing here; write for example `key: "),
        ("{key: a.key}", "web.key: certificate and key belong together"),
        ("{password: hunter2}", "web.password: a secret is never written into the profile"),
        ("{port: 70000}", "web.port: 70000 is out of range; it must be at most 65535"),
        ("{hosts: ['a:80']}", "web.hosts[0]: 'a:80' is no name of a computer"),
        ("{proxy: {header: Cookie, address: 10.0.0.5}}", "web.proxy.header: 'Cookie' is no header for a user's name"),
        ("{proxy: {header: X-User, address: proxy}}", "web.proxy.address: 'proxy' is no address of a computer"),
        ("null", "web: there is nothing here; write for example `web: {port: 8765}`"),
        ("{actions: 1}", "web.actions: 1 is neither true nor false"),
    ],
)
def test_a_mistake_is_told_with_its_cure(tmp_path: Path, section: str, told: str) -> None:
    problems = refused(tmp_path, section)
    assert any(told in problem for problem in problems), problems
