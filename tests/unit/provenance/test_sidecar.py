"""Sidecars: what can be used of them is used, whatever else is in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.provenance.request import Credited
from watcher.provenance.sidecar import MAX_BYTES, Sidecar, is_sidecar, understood


def test_a_sidecar_says_who_and_for_what() -> None:
    told = understood(
        "x/acquisition.yaml", b"request: RQ4F7K2MT\noperator: rroe\nalso: [{who: asmith}]\nsample: HeLa\n"
    )
    assert told.values == {"request": "RQ4F7K2MT", "operator": "rroe", "sample": "HeLa"}
    assert told.also == (Credited(who="asmith"),)
    assert told.problems == ()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"scientist: [", "x.yaml:1:13: the file ends within brackets that are never closed"),
        (b"just words", "x.yaml:1:1: this is no sidecar: it needs keys like request or scientist"),
        (b"\xff\xfe", "x.yaml:1:1: this file is UTF-16; save it as UTF-8"),
        (b"a: &x [*x]", "x.yaml:1:4: anchors (&), aliases (*) and tags (!) are not allowed"),
        (b"x" * (MAX_BYTES + 1), "x.yaml:1:1: this file is larger than 65,536 bytes and cannot be a sidecar"),
        (b"", "x.yaml:1:1: this is no sidecar"),
    ],
)
def test_what_is_none_at_all_says_nothing_and_is_told(content: bytes, problem: str) -> None:
    told = understood("x.yaml", content)
    assert (told.values, told.also) == ({}, ())
    assert len(told.problems) == 1
    assert told.problems[0].startswith(problem)


def test_a_slip_of_the_pen_costs_one_key_only() -> None:
    told = understood(
        "x.yaml", b"scientist: jdoe\nprojct: P\nsource: nowhere\nalso: [{who: a, role: Boss}]\nsample: s\n"
    )
    assert told.values == {"scientist": "jdoe", "sample": "s"}
    assert told.also == ()
    assert [problem.split(": ")[1] for problem in told.problems] == ["projct", "source", "also[0].role"]


@given(
    st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"scientist: x\n{text}".encode("utf-8", "replace"))
)
def test_whatever_is_in_it_only_known_keys_come_out(content: bytes) -> None:
    told = understood("x.yaml", content)
    assert "" not in told.values.values()
    assert told.values.keys() <= Sidecar.model_fields.keys() - {"also"}


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=4))
def test_keys_that_nobody_knows_never_keep_it_from_ending(extra: dict[str, str]) -> None:
    lines = [f"{key!r}: x" for key in extra if key.isprintable() and "'" not in key and "\\" not in key]
    told = understood("x.yaml", "\n".join(["request: RQ4F7K2MT", *lines]).encode("utf-8", "replace"))
    assert told.values.get("request") == "RQ4F7K2MT" or told.problems


@pytest.mark.parametrize("name", ["acquisition.yaml", "Acquisition.YML", "scan.acquisition.yaml", ".acquisition.yml"])
def test_names_of_sidecars_are_known(name: str) -> None:
    assert is_sidecar(name)


@pytest.mark.parametrize("name", ["scan.yaml", "acquisition.yaml.txt", "acquisition", "myacquisition.yaml"])
def test_names_of_other_files_are_not(name: str) -> None:
    assert not is_sidecar(name)
