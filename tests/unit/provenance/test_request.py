"""Requests: what stands in the file comes back, what is missing is named, and the folder is safe to share."""

import os
import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.errors import RequestError, UsageError
from watcher.model import FACTS
from watcher.provenance.request import Acquire, Authorship, Credited, Request, read_request, text
from watcher.provenance.requests import Requests, ready

TODAY = date(2026, 11, 27)
FULL: dict[str, Any] = {
    "title": "Actin", "scientist": "jdoe", "project": "P-1", "sample": "HeLa", "funding": ("ERC",),
    "acquire": Acquire(what="cells", channels=("DAPI", "GFP"), objective="63x", positions="12", repeats="3"),
    "authorship": Authorship(operator="acknowledgement", agreed=True), "omero": "Dataset:name:A", "group": "ag-doe",
    "also": (Credited(who="asmith", role="ProjectLeader", credit="funding-acquisition"),), "readers": ("ag-doe",),
    "source": "https://eln.example.org/1", "licence": "CC0", "retention": "10 years",
}  # fmt: skip


@pytest.fixture
def requests(tmp_path: Path) -> Requests:
    return Requests(tmp_path / "requests")


def made(requests: Requests, seed: int = 1, **said: Any) -> Request:
    return requests.make(random.Random(seed), TODAY, **said)


def test_a_full_request_is_ready_and_says_the_same_when_it_is_read_again(requests: Requests) -> None:
    request = made(requests, **FULL)
    assert Requests(requests.folder).get(request.id.lower()) == request
    assert request.missing() == []
    assert ready(request, lambda _: "") == []
    assert request.facts().keys() == set(FACTS), "everything that a set can be told of"


def test_what_is_missing_is_named_in_the_order_of_the_file(requests: Requests) -> None:
    request = made(requests, title="Actin", scientist="jdoe", acquire=Acquire(channels=("DAPI",)))
    assert ready(request, lambda _: "it is not in the directory of persons") == [
        "project is missing", "sample is missing", "acquire.what is missing", "acquire.objective is missing",
        "acquire.positions is missing", "acquire.repeats is missing", "authorship is missing",
        "scientist: it is not in the directory of persons",
    ]  # fmt: skip


_TEXTS = st.text(min_size=1).filter(lambda value: not any(0xD800 <= ord(sign) <= 0xDFFF for sign in value))


@given(_TEXTS, _TEXTS, st.lists(_TEXTS, max_size=3))
def test_any_words_come_back_as_they_were_written(title: str, what: str, channels: list[str]) -> None:
    request = Request(id="RQ4F7K2MT", title=title, acquire=Acquire(what=what, channels=tuple(channels)))
    with_directory = Path(os.environ.get("TMPDIR", "/tmp")) / f"irods-watcher-test-{os.getpid()}"
    with_directory.mkdir(exist_ok=True)
    path = with_directory / "RQ4F7K2MT.yaml"
    try:
        path.write_text(text(request), encoding="utf-8", newline="\n")
        assert read_request(path) == request
    finally:
        path.unlink()
        with_directory.rmdir()


def test_a_request_written_by_hand_needs_only_its_identifier(requests: Requests) -> None:
    requests.folder.mkdir()
    (requests.folder / "RQ4F7K2MT.yaml").write_text("id: rq4f7k2mt\n")
    assert requests.get("RQ4F7K2MT") == Request(id="RQ4F7K2MT")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("id: RQ4F7K2MS", "1:5: id: this is no request's identifier: its last letter does not fit; look for a "
         "mistyped one"),
        ("title: x", "1:1: id: this is missing; write for example `id: RQ4F7K2MT`"),
        ("id: RQ4F7K2MT\nsubject: x", "2:1: subject: there is no such key here; there are "),
        ("id: RQ4F7K2MT\nchannels: [x]", "2:1: channels: there is no such key here; it belongs under acquire"),
        ("id: RQ4F7K2MT\nalso: [{who: x, role: Boss}]", "2:23: also[0].role: 'Boss' is none of 'Creator', "),
        ("id: RQ4F7K2MT\nmade: yesterday", "2:7: made: 'yesterday' is no day; write one like 2026-11-27"),
        ("id: RQ4F7K2MT\nsource: exp 4711", "2:9: source: this is no address; write one like "),
        ("id: RQ4F7K2MT\nauthorship: {operator: boss}", "2:24: authorship.operator: 'boss' is none of 'author', "),
        ("id: RQ4F7K2MT\nauthorship: {operator: author, agreed: maybe}",
         "2:40: authorship.agreed: 'maybe' is neither true nor false; write for example `agreed: true`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(requests: Requests, said: str, problem: str) -> None:
    requests.folder.mkdir()
    path = requests.folder / "RQ4F7K2MT.yaml"
    path.write_text(said)
    with pytest.raises(RequestError) as caught:
        requests.get("RQ4F7K2MT")
    assert [one for one in caught.value.problems if one.startswith(f"{path}:{problem}")], caught.value.problems


def test_the_name_of_the_file_is_the_identifier(requests: Requests) -> None:
    request = made(requests)
    path = requests.folder / f"{request.id}.yaml"
    path.rename(requests.folder / "RQ4F7K2MT.yaml")
    with pytest.raises(RequestError, match="3:5: id: this is not the name of the file"):
        requests.get("RQ4F7K2MT")


def test_one_bad_file_does_not_hide_the_others(requests: Requests) -> None:
    good, bad = made(requests, 1), made(requests, 2)
    (requests.folder / f"{bad.id}.yaml").write_text("id: [")
    (requests.folder / "notes.txt").write_text("not a request")
    found, problems = requests.all()
    assert list(found) == [good.id]
    assert len(problems) == 1
    assert bad.id in problems[0]


def test_a_file_that_changed_is_read_again_and_one_that_is_gone_is_forgotten(requests: Requests) -> None:
    request = made(requests, title="old")
    assert requests.all()[0][request.id].title == "old"
    path = requests.folder / f"{request.id}.yaml"
    path.write_text(f"id: {request.id}\ntitle: new title\n")
    assert requests.all()[0][request.id].title == "new title"
    path.unlink()
    assert requests.all() == ({}, [])


def test_closing_changes_one_line_and_nothing_else(requests: Requests) -> None:
    request = made(requests, **FULL)
    path = requests.folder / f"{request.id}.yaml"
    path.write_text("# mine\n" + path.read_text() + "# closed: never\n")
    before = path.read_text().splitlines()
    closed = requests.close(request.id, TODAY)
    assert closed.closed == "2026-11-27"
    assert "it was closed on 2026-11-27" in ready(closed, lambda _: "")
    changed = [line for line in path.read_text().splitlines() if line not in before]
    assert changed == ["closed: '2026-11-27'"]
    assert len(path.read_text().splitlines()) == len(before)
    requests.close(request.id, date(2027, 1, 1))
    assert requests.get(request.id).closed == "2027-01-01"


def test_no_two_requests_ever_share_an_identifier(requests: Requests) -> None:
    first, second = made(requests, 1, title="a"), made(requests, 1, title="b")
    assert first.id != second.id, "the same chance gives another one if the file is there"
    assert requests.get(first.id).title == "a"


@pytest.mark.parametrize("word", ["", "x", "RQ4F7K2MU", "../../etc/passwd", "RQ4F7K2MT"])
def test_a_request_that_is_not_there_is_told_so(requests: Requests, word: str) -> None:
    with pytest.raises(UsageError, match="identifier"):
        requests.get(word)


def test_a_folder_that_is_not_there_is_told_so(requests: Requests) -> None:
    with pytest.raises(RequestError, match="the folder of requests cannot be read"):
        requests.all()


def test_a_thousand_requests_are_listed_again_without_reading_them_again(
    requests: Requests, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def counted(path: Path) -> Request:
        read.append(path)
        return read_request(path)

    monkeypatch.setattr("watcher.provenance.requests.read_request", counted)
    for seed in range(1000):
        made(requests, seed)
    assert len(requests.all()[0]) == len(read) == 1000
    assert len(requests.all()[0]) == len(read) == 1000
