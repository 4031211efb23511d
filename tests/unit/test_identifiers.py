"""Identifiers with check digits: real ones are taken in any form, and one wrong letter is noticed."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher import identifiers

ORCIDS = ["0000-0002-1825-0097", "0000-0001-5109-3700", "0000-0002-1694-233X"]
RORS = ["03yrm5c26", "02mhbdp94", "05dxps055", "04wxnsj81", "00f54p054", "02nr0ka47"]


@pytest.mark.parametrize("code", ORCIDS)
@pytest.mark.parametrize("form", ["{}", " {} ", "https://orcid.org/{}", "http://orcid.org/{}", "orcid.org/{}"])
def test_an_orcid_is_stored_as_its_url_in_whatever_form_it_comes(code: str, form: str) -> None:
    assert identifiers.orcid(form.format(code)) == f"https://orcid.org/{code}"
    assert identifiers.orcid(code.replace("-", "").lower()) == f"https://orcid.org/{code}"


@pytest.mark.parametrize("code", RORS)
def test_a_ror_identifier_is_stored_as_its_url(code: str) -> None:
    for form in (code, code.upper(), f"https://ror.org/{code}", f"ror.org/{code}"):
        assert identifiers.ror(form) == f"https://ror.org/{code}"


@given(st.sampled_from(ORCIDS), st.integers(0, 15), st.sampled_from("0123456789"))
def test_one_wrong_digit_of_an_orcid_is_noticed(code: str, at: int, digit: str) -> None:
    digits = code.replace("-", "")
    changed = digits[:at] + digit + digits[at + 1 :]
    if changed == digits:
        return
    with pytest.raises(ValueError, match="ORCID"):
        identifiers.orcid(changed)


@given(st.sampled_from(RORS), st.integers(1, 8), st.sampled_from("0123456789abcdefghjkmnpqrstvwxyz"))
def test_one_wrong_letter_of_a_ror_identifier_is_noticed(code: str, at: int, letter: str) -> None:
    changed = code[:at] + letter + code[at + 1 :]
    if changed == code:
        return
    with pytest.raises(ValueError, match="ROR"):
        identifiers.ror(changed)


@pytest.mark.parametrize("text", ["", "x", "0000-0002-1825-009", "0000-0002-1825-00977", "０000-0002-1825-0097", "\n"])
def test_what_is_no_orcid_at_all_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write one like 0000-0002-1825-0097"):
        identifiers.orcid(text)


@given(st.integers(0, 2**32))
def test_a_new_request_s_identifier_fits_into_names_and_barcodes_and_is_found_there(seed: int) -> None:
    code = identifiers.new_request(random.Random(seed))
    assert len(code) == 9
    assert set(code) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"), "what Code 39 can hold"
    assert identifiers.request(code.lower()) == code
    for name in (f"2026-11-27_{code}_cells", code.lower(), f"a ({code})", f"x/{code}/y", f"{code}.tif"):
        assert identifiers.requests_in(name) == [code]
    assert identifiers.requests_in(f"A{code}") == identifiers.requests_in(f"{code}7") == []


@given(st.integers(0, 2**32), st.integers(2, 8), st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_a_mistyped_request_s_identifier_is_no_other_one(seed: int, at: int, letter: str) -> None:
    code = identifiers.new_request(random.Random(seed))
    changed = code[:at] + letter + code[at + 1 :]
    if changed == code:
        return
    assert identifiers.requests_in(changed) == []
    with pytest.raises(ValueError, match="last letter does not fit"):
        identifiers.request(changed)


@given(st.integers(0, 2**32), st.integers(2, 7))
def test_two_swapped_letters_are_noticed(seed: int, at: int) -> None:
    code = identifiers.new_request(random.Random(seed))
    changed = code[:at] + code[at + 1] + code[at] + code[at + 2 :]
    assert changed == code or identifiers.requests_in(changed) == []


@given(st.text())
def test_any_text_can_be_looked_through(text: str) -> None:
    for code in identifiers.requests_in(text):
        assert identifiers.request(code) == code


@pytest.mark.parametrize("text", ["https://eln.example.org/exp/4711?x=1#y", "http://a/b", "https://[::1]/x"])
def test_an_address_is_taken_as_it_is(text: str) -> None:
    assert identifiers.url(text) == text


@pytest.mark.parametrize("text", ["", "eln.example.org", "ftp://a/b", "https://", "https://a b", "javascript:alert(1)",
                                  "https://[x", "https://a/\n", 'https://a/"><script>'])  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        identifiers.url(text)
