"""The pages speak the language of whoever asks, as far as there is a catalogue; nothing is written around it."""

import html
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo

from tests.unit.web.conftest import Serve, make_set
from watcher.journal import Journal
from watcher.model import State
from watcher.overview.language import DOMAIN

SOURCE = Path(__file__).resolve().parents[3] / "watcher"
KEYWORDS = {"say": None, "later": None, "say_many": (1, 2), "gettext": None, "ngettext": (1, 2)}
#: What is data on the pages below, or a name that is the same in all languages.
DATA = (
    r"irods-watcher|iRODS|ORCID|SHA-256|LSM980-2|xdata\S*|/\S+|RQ\w+|[0-9a-f]{64}|urn:uuid:\S+|\d[\d:. -]*|"
    r"\b(?:B|kB|MB|GB|TB)\b|unchecked|a person said so|as a test wants it|first seen|people: \{.*?\}|"
    r"process \d+ on \S+ since"
    # What the facility's files lack is said below the pages, where no language is known.
    r"|[\w.]+ is missing"
)


@cache
def messages() -> list[tuple[str, str | None]]:
    """Every sentence that the program says to people by a catalogue, with its plural."""
    found: dict[str, str | None] = {}
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    for _, _, message, _, _ in extract_from_dir(SOURCE, methods, keywords=KEYWORDS):
        one, many = (message, None) if isinstance(message, str) else (message[0], message[1])
        found[one] = many or found.get(one)
    return list(found.items())


def translate(folder: Path, language: str, begin: str, end: str) -> None:
    """A catalogue in which each sentence stands between two marks."""
    catalogue = Catalog(locale=language)
    for one, many in messages():
        both = (one, many) if many else one
        said = (f"{begin}{one}{end}", f"{begin}{many}{end}") if many else f"{begin}{one}{end}"
        catalogue.add(both, said)
    place = folder / language / "LC_MESSAGES"
    place.mkdir(parents=True)
    with (place / f"{DOMAIN}.mo").open("wb") as file:
        write_mo(file, catalogue)


class Words(HTMLParser):
    """All that a page says to people: its texts, and what stands in attributes that are shown or read out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._inside.append(tag)
        said = dict(attributes)
        names = ("title", "aria-label", "alt", "placeholder", "data-label", "data-done")
        self.found += [value for name in names if (value := said.get(name)) and tag != "time"]

    def handle_endtag(self, tag: str) -> None:
        self._inside.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        if data.strip() and self._inside[-1:] not in (["script"], ["style"]):
            self.found.append(data.strip())


def outside(text: str) -> list[str]:
    """What of a page stands outside of the marks and is no data."""
    reader = Words()
    reader.feed(text)
    left = []
    for words in reader.found:
        before = None
        while before != words:
            before, words = words, re.sub(r"«[^«»]*»", " ", words)
        words = re.sub(DATA, " ", words)
        if re.search(r"[A-Za-z]{2,}", words):
            left.append(words)
    return left


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("nl-BE, nl;q=0.9, en;q=0.5", "nl"),
        ("de-CH", "de"),
        ("fr, de;q=0.2, nl;q=0.7", "nl"),
        ("en-GB, nl;q=0.9", "en"),
        ("", "en"),
        ("nl;q=x, ../../etc;q=1", "en"),
    ],
)
def test_a_page_is_in_the_first_language_of_which_there_is_a_catalogue(
    serve: Serve, tmp_path: Path, accepted: str, language: str
) -> None:
    for name, mark in (("de", "D"), ("nl", "N")):
        translate(tmp_path / "translations", name, f"{mark}(", ")")
    page = serve(translations=tmp_path / "translations")
    text = page.get("/", Accept_Language=accepted).text
    assert f'<html lang="{language}">' in text
    assert {"nl": "N(Image sets)", "de": "D(Image sets)", "en": ">Image sets<"}[language] in text


def test_nothing_that_people_read_is_written_around_the_catalogue(
    serve: Serve, journal: Journal, tmp_path: Path
) -> None:
    translate(tmp_path / "translations", "de", "«", "»")
    page = serve("password: {env: PAGE_PASSWORD}", translations=tmp_path / "translations")
    (page.home / "requests" / "RQ4F7K2MT.yaml").write_text(
        "id: RQ4F7K2MT\ntitle: xdata\nauthorship: {operator: none}\n"
    )
    sets = [
        make_set(journal, "xdata1", State.HELD, reason="xdata", problems=("xdata",)),
        make_set(journal, "xdata2", State.GROWING, waits_for=("xdata",)),
        make_set(journal, "xdata3", State.VALID, on_hold="xdata", attempts=2, retry_at=1e12),
        make_set(journal, "xdata4", collection="/zone/xdata", embedded={"xdata": "xdata"}),
        make_set(journal, "xdata5", State.SKIPPED, reason="xdata"),
    ]
    journal.note("sending", {"at": 1e12, "rate": 10**6, "sets": {sets[2].id: 250}})
    journal.note("space:/data", {"at": 1e12, "free": 10**9, "total": 10**12, "samples": [[1e12 - 9000.0, 2 * 10**9]]})
    journal.sessions.start("RQ4F7K2MT", "xdata", "", 0.0, 1e12)
    paths = ["/", "/?text=nothing", "/requests", "/requests/new", "/requests/RQ4F7K2MT", "/sessions", "/about",
             "/nothing", *(f"/sets/{one.id[9:]}" for one in sets)]  # fmt: skip
    answers = {path: page.get(path, Accept_Language="de") for path in paths}
    cookie = page.log_in()
    answers |= {f"known {path}": page.get(path, Accept_Language="de", Cookie=cookie) for path in paths}
    answers["/login"] = page.get("/login", Accept_Language="de")
    headers = {"Accept_Language": "de", "Cookie": cookie}
    answers["half"] = page.post("/requests/new", {"title": "xdata"}, **headers)
    answers["refused"] = page.post("/pause", {"token": ""}, **headers)
    journal.note("paused", {"since": 1.0, "by": "xdata"})
    answers["paused"] = page.get("/?said=paused", **headers)
    for path, answer in answers.items():
        assert '<html lang="de">' in answer.text
        assert outside(answer.text) == [], path
        assert "«»" not in html.unescape(answer.text)


def test_every_sentence_keeps_its_values_in_braces() -> None:
    for one, many in messages():
        names = [set(re.findall(r"\{(\w*)\}", text)) for text in (one, many or one)]
        assert names[0] - {"number"} == names[1] - {"number"}, one
        assert "" not in names[0], one
