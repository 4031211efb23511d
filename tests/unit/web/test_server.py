"""The page beside the watcher: whatever happens to it is told, and nothing else."""

import contextlib
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.irods_server import make_certificate
from tests.unit.web.conftest import Serve
from watcher import profile as profiles
from watcher.journal import Journal
from watcher.overview import picture
from watcher.profile import Web
from watcher.provenance.registers import Registers
from watcher.web.exposing import address_of, exposed
from watcher.web.server import PageServer, listening


def profile_with(folder: Path, web: str) -> profiles.Profile:
    text = "instrument: {name: X}\nwatch: [{path: /data}]\nstore: {kind: folder, path: a}\n"
    (folder / "p.yaml").write_text(f"{text}web: {web}\n")
    return profiles.load(folder / "p.yaml")


def wait_for(journal: Journal) -> str:
    end = time.monotonic() + 10
    while not isinstance(noted := journal.noted("page"), dict):
        assert time.monotonic() < end
        time.sleep(0.01)
    return str(noted["address"])


def test_a_port_that_is_taken_is_told_and_tried_again(tmp_path: Path, journal: Journal) -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        profile = profile_with(tmp_path, f"{{port: {port}}}")
        server = PageServer(
            profile, journal.state, Registers(profile), lambda where, what: told.append(f"{where}: {what}"), again=0.05
        )
        with server:
            while not told:
                time.sleep(0.01)
            assert told[0].startswith(f"page: The page cannot be shown: 127.0.0.1:{port}: the port is taken")
            assert "web.port" in told[0]
            other.close()
            assert wait_for(journal) == f"http://127.0.0.1:{port}/"
    assert told[-1] == "page: "


def test_two_watchers_on_a_computer_have_a_page_each_though_no_profile_names_a_port(
    tmp_path: Path, journal: Journal
) -> None:
    told: list[str] = []
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # then somebody else has it already
            stack.enter_context(socket.create_server(("127.0.0.1", 8765)))
        profile = profile_with(tmp_path, "{}")
        stack.enter_context(PageServer(profile, journal.state, Registers(profile), lambda _, what: told.append(what)))
        assert wait_for(journal) not in {"http://127.0.0.1:8765/", "http://127.0.0.1:0/"}
    assert told == [""]


def test_small_parts_of_an_answer_are_sent_at_once() -> None:
    with listening(Web(port=0)) as port, socket.create_connection(port.getsockname(), 10):
        port.setblocking(True)
        taken, _ = port.accept()
        with taken:
            assert taken.proto == socket.IPPROTO_TCP, "else asyncio leaves it to the system, which waits for 40 ms"


def test_a_page_that_is_switched_off_opens_nothing(tmp_path: Path, journal: Journal) -> None:
    profile = profile_with(tmp_path, "{enabled: false}")
    with PageServer(profile, journal.state, Registers(profile), lambda *_: None) as server:
        assert not server._thread.is_alive()
    assert journal.noted("page") is None


@pytest.mark.parametrize("what", ["certificate", "password", "journal"])
def test_what_is_missing_is_told_and_the_watcher_goes_on(
    tmp_path: Path, journal: Journal, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH", raising=False)
    web = {
        "certificate": "{port: 0, certificate: no.pem, key: no.key}",
        "password": "{port: 0, password: {env: NO_SUCH}}",
        "journal": "{port: 0}",
    }[what]
    profile = profile_with(tmp_path, web)
    state = journal.state
    if what == "journal":
        state = tmp_path / "file"
        state.write_text("")
    told: list[str] = []
    with PageServer(profile, state, Registers(profile), lambda _, said: told.append(said), again=0.05):
        while not told:
            time.sleep(0.01)
    assert told[0].startswith("The page cannot be shown: ")
    assert "unexpected" not in told[0]


def test_a_mistake_in_a_page_is_told_and_the_page_goes_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> str:
        raise RuntimeError("Jane Doe's secret")

    page = serve()
    monkeypatch.setattr(picture, "sentence", broken)
    answer = page.get("/")
    assert (answer.status, answer.text) == (500, "Something unexpected happened.\n")
    end = time.monotonic() + 5
    while not page.troubles and time.monotonic() < end:
        time.sleep(0.01)  # it is told after it is answered
    ((where, told),) = page.troubles
    assert where == "page"
    assert "unexpected RuntimeError in test_server.py" in told
    assert "Jane" not in told
    monkeypatch.undo()
    assert page.get("/").status == 200
    captured = capfd.readouterr()
    assert "Traceback" not in captured.out + captured.err


def test_with_a_certificate_it_speaks_tls(tmp_path: Path, journal: Journal) -> None:
    pair = make_certificate(tmp_path)
    profile = profile_with(tmp_path, f"{{port: 0, certificate: '{pair[0]}', key: '{pair[1]}'}}")
    with PageServer(profile, journal.state, Registers(profile), lambda *_: None):
        address = wait_for(journal)
        assert address.startswith("https://127.0.0.1:")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        port = int(address.rstrip("/").rpartition(":")[2])
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=5)) as line:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert line.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("web", "address"),
    [
        ({}, "http://127.0.0.1:1/"),
        ({"listen": "::1"}, "http://[::1]:1/"),
        ({"listen": "::1", "hosts": ["a.example"]}, "http://[::1]:1/"),
        ({"listen": "0.0.0.0", "proxy": {"header": "X-U", "address": "10.0.0.1"}}, "http://127.0.0.1:1/"),  # noqa: S104
        (
            {"listen": "10.0.0.2", "hosts": ["a.example"], "proxy": {"header": "X-U", "address": "10.0.0.1"}},
            "http://a.example:1/",
        ),
    ],
)
def test_the_address_is_one_that_can_be_opened(web: dict[str, object], address: str) -> None:
    assert address_of(Web.model_validate(web), 1) == address


def test_it_says_what_is_exposed_to_whom() -> None:
    proxy = {"header": "X-U", "address": "10.0.0.1"}
    assert exposed(Web()) == (
        "Whoever is at this computer sees it; no names of persons are shown. "
        "Whoever is at this computer may order something."
    )
    assert "Nobody may order anything." in exposed(Web.model_validate({"actions": False}))
    elsewhere = exposed(Web.model_validate({"listen": "10.0.0.2", "proxy": proxy, "people": True}))
    assert "names of persons are shown" in elsewhere
    assert "From other computers only who is known sees it, with names of persons." in elsewhere
    here = exposed(Web.model_validate({"proxy": {**proxy, "address": "127.0.0.1"}}))
    assert "Only who is known by the password or the proxy sees it" in here
