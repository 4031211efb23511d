"""Every refusal in the operator's words, with the path, the number and something to do."""

import errno

import pytest
from irods.exception import CAT_INVALID_AUTHENTICATION, NetworkException

from watcher import errors
from watcher.stores.irods.failures import TlsDisagreement, refusal, rounded, translate

PATH = "/z/home/svc/set/a.tif"


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (-406000, errors.StoreBusy, "locked"),
        (-405000, errors.StoreBusy, "locked"),
        (-1803000, errors.StoreBusy, "locked"),
        (-110000, errors.StoreFull, "quota"),
        (-105000, errors.StoreFull, "down"),
        (-513028, errors.StoreFull, "full"),
        (-512122, errors.StoreFull, "quota"),
        (-510036, errors.NameRefused, "too long"),
        (-818000, errors.NotAllowed, "permission"),
        (-814000, errors.NotAllowed, "collection is not there"),
        (-314000, errors.FixityError, "checksum"),
        (-27000, errors.FixityError, "size"),
        (-317000, errors.NameRefused, "name"),
        (-312000, errors.Conflict, "already"),
        (-826000, errors.LoginRefused, "password"),
        (-840000, errors.LoginRefused, "expired"),
        (-993000, errors.LoginRefused, "PAM"),
        (-803000, errors.StoreUnreachable, "catalogue"),
        (-510002, errors.StoreError, "refused this"),
        (-999999, errors.StoreError, "refused this"),
    ],
)
def test_codes_become_our_errors(code: int, kind: type[errors.WatcherError], words: str) -> None:
    error = refusal(code, "what the server says", PATH)
    assert type(error) is kind
    for part in (PATH, words, str(code), "what the server says", error.cure):
        assert part in str(error)


def test_the_errno_is_no_part_of_the_code() -> None:
    assert [rounded(code) for code in (-513028, -513000, -808000, -999, 0, 3)] == [
        -513000,
        -513000,
        -808000,
        -999,
        0,
        3,
    ]


def network_error(cause: OSError) -> NetworkException:
    try:
        try:
            raise cause
        except OSError:
            raise NetworkException("Could not receive server response")  # noqa: B904
    except NetworkException as error:
        return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (TimeoutError("timed out"), errors.StoreUnreachable, "it timed out"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), errors.StoreUnreachable, "refused"),
        (OSError("Read 0 bytes from socket instead of expected 4 bytes"), errors.StoreUnreachable, "server closed"),
        (network_error(OSError(errno.EHOSTUNREACH, "No route to host")), errors.StoreUnreachable, "No route to host"),
        (NetworkException("Client-Server negotiation failure: a,b"), TlsDisagreement, "agree on TLS"),
        (NetworkException("gone"), errors.StoreUnreachable, "gone"),
        (RuntimeError("pam_password auth scheme requires secure communications"), TlsDisagreement, "needs TLS"),
        (CAT_INVALID_AUTHENTICATION(None), errors.LoginRefused, "-826000"),
        (KeyError(-405000), errors.StoreBusy, "-405000"),
        (KeyError("user_name"), errors.StoreError, "no sense"),
        (ValueError("odd"), errors.StoreError, "odd"),
    ],
)
def test_exceptions_become_our_errors(error: Exception, kind: type[errors.WatcherError], words: str) -> None:
    found = translate(error, PATH)
    assert type(found) is kind
    assert PATH in str(found)
    assert words in str(found)


def test_our_own_errors_pass() -> None:
    error = errors.SourceChanged("a.tif: it changed")
    assert translate(error, PATH) is error
