"""Signatures: the canonical form, and what is refused. The conformance tests show that the SDK agrees."""

from datetime import UTC, datetime, timedelta

import pytest

from stratal.faces.evs.signing import BadSignature, SignedRequest, canonical, check, parse, sign

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
HEADERS = ("content-type", "host", "x-sdk-date")


def _request(**changes: object) -> SignedRequest:
    values: dict[str, object] = {
        "method": "get",
        "raw_path": "/v2/p/cloudvolumes/detail",
        "raw_query": "name=a%20b&limit=5",
        "headers": {
            "content-type": " application/json ",
            "host": "cloud.example.org",
            "x-sdk-date": "20260131T120000Z",
        },
        "body": b"",
        **changes,
    }
    return SignedRequest(**values)  # type: ignore[arg-type]


def test_the_canonical_form_is_sorted_quoted_and_ends_in_the_hash_of_the_body() -> None:
    assert canonical(_request(), HEADERS) == (
        "GET\n"
        "/v2/p/cloudvolumes/detail/\n"
        "limit=5&name=a%20b\n"
        "content-type:application/json\n"
        "host:cloud.example.org\n"
        "x-sdk-date:20260131T120000Z\n"
        "\n"
        "content-type;host;x-sdk-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def test_a_signature_is_accepted_a_quarter_of_an_hour_around_its_time() -> None:
    request = _request()
    digest = sign(request, HEADERS, "sk")
    signature = parse(f"SDK-HMAC-SHA256 Access=AK, SignedHeaders={';'.join(HEADERS)}, Signature={digest}")
    for minutes in (-15, 0, 15):
        check(request, signature, "sk", now=NOW + timedelta(minutes=minutes))
    for minutes in (-16, 16):
        with pytest.raises(BadSignature, match="expired"):
            check(request, signature, "sk", now=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "POST"},
        {"raw_path": "/v2/q/cloudvolumes/detail"},
        {"raw_query": "name=a%20b&limit=6"},
        {"body": b"x"},
    ],
)
def test_whatever_was_signed_cannot_be_changed(change: dict[str, object]) -> None:
    digest = sign(_request(), HEADERS, "sk")
    signature = parse(f"SDK-HMAC-SHA256 Access=AK, SignedHeaders={';'.join(HEADERS)}, Signature={digest}")
    with pytest.raises(BadSignature, match="fail"):
        check(_request(**change), signature, "sk", now=NOW)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic abc",
        "SDK-HMAC-SHA256 Access=AK",
        f"SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, Signature={'g' * 64}",
        f"SDK-HMAC-SHA256 Access=A K, SignedHeaders=host, Signature={'0' * 64}",
        f"SDK-HMAC-SM3 Access=AK, SignedHeaders=host, Signature={'0' * 64}",
    ],
)
def test_a_header_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(BadSignature):
        parse(header)


def test_host_and_date_must_be_signed_and_names_sorted() -> None:
    for names in (("host",), ("x-sdk-date",), ("x-sdk-date", "host")):
        digest = sign(_request(), names, "sk")
        signature = parse(f"SDK-HMAC-SHA256 Access=AK, SignedHeaders={';'.join(names)}, Signature={digest}")
        with pytest.raises(BadSignature):
            check(_request(), signature, "sk", now=NOW)
