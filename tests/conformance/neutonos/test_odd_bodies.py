"""Bodies that no schema describes: each gets a 4xx that names what is wrong, and changes nothing."""

import json
import socket
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from running_server import Client, RunningServer

DEEP = 20_000
LONG_DIGITS = "9" * 6000

#: body → status and the path of the field
CREATE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "spec"),
    "white space": (b"  \n ", "body"),
    "not JSON": (b"spec: name", "body"),
    "half an object": (b'{"spec":{"name":"x"', "body"),
    "two values": (b'{"spec":{"name":"x"}} {}', "body"),
    "a list": (b"[]", "body"),
    "a number": (b"1", "body"),
    "null": (b"null", "body"),
    "no spec": (b"{}", "spec"),
    "a spec that is null": (b'{"spec":null}', "spec"),
    "a spec that is a list": (b'{"spec":[]}', "spec"),
    "a key beside the spec": (b'{"spec":{"name":"x"},"status":{}}', "status"),
    "an unknown field": (b'{"spec":{"name":"x","nam":"y"}}', "spec.nam"),
    "an unknown field with NUL": (b'{"spec":{"name":"x","a\\u0000b":"y"}}', "spec.a\0b"),
    "a missing field": (b'{"spec":{"description":"x"}}', "spec.name"),
    "a null name": (b'{"spec":{"name":null}}', "spec.name"),
    "a number for a name": (b'{"spec":{"name":1}}', "spec.name"),
    "an empty name": (b'{"spec":{"name":""}}', "spec.name"),
    "a name that is too long": (json.dumps({"spec": {"name": "x" * 256}}).encode(), "spec.name"),
    "a name with NUL": (b'{"spec":{"name":"a\\u0000b"}}', "spec.name"),
    "a name with a newline at its end": (b'{"spec":{"name":"a\\n"}}', "spec.name"),
    "a description with NUL": (b'{"spec":{"name":"x","description":"a\\u0000"}}', "spec.description"),
    "half of a surrogate pair": (b'{"spec":{"name":"\\ud800"}}', "body"),
    "half of a surrogate pair in a key": (b'{"spec":{"\\udfff":"x"}}', "body"),
    "invalid UTF-8": (b'{"spec":{"name":"\xff\xfe"}}', "body"),
    "UTF-16": ('{"spec":{"name":"x"}}'.encode("utf-16"), "body"),
    "a byte order mark": (b'\xef\xbb\xbf{"spec":{"name":"x"}}', "body"),
    "a repeated field": (b'{"spec":{"name":"x","name":"y"}}', "spec.name"),
    "a repeated spec": (b'{"spec":{"name":"x"},"spec":{"name":"y"}}', "spec"),
    "a repeated field in another spelling": (b'{"spec":{"name":"x","n\\u0061me":"y"}}', "spec.name"),
    "not a number": (b'{"spec":{"name":NaN}}', "body"),
    "lists in lists without end": (b'{"spec":{"name":' + b"[" * DEEP + b"]" * DEEP + b"}}", "spec.name"),
    "objects in objects without end": (
        b'{"spec":{"name":' + b'{"a":' * DEEP + b"1" + b"}" * (DEEP + 2),
        "spec.name",
    ),
}


@pytest.mark.parametrize("what", CREATE)
def test_an_odd_body_is_refused_with_the_path_of_what_is_wrong(admin: Client, what: str) -> None:
    body, field = CREATE[what]
    before = admin.get("/data-centers", params={"limit": 0}).json()
    answer = admin.post("/data-centers", content=body)
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert problem["code"] == "invalid"
    assert problem["details"]["field"] == field
    assert problem["message"].startswith(f"{field}: ")
    assert admin.get("/data-centers", params={"limit": 0}).json() == before


INTEGERS: dict[str, str] = {
    "beyond 64 bits": str(2**63),
    "far beyond 64 bits": LONG_DIGITS,
    "zero": "0",
    "negative": "-1",
    "a fraction": "1.5",
    "an infinite power": "1e999",
    "text": '"1"',
    "a truth": "true",
}


@pytest.mark.parametrize("what", INTEGERS)
def test_an_odd_integer_is_refused_with_the_path_of_its_field(admin: Client, what: str) -> None:
    body = f'{{"spec":{{"name":"x","data_center_id":{INTEGERS[what]}}}}}'
    answer = admin.post("/rooms", content=body.encode())
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"]["field"] == "spec.data_center_id"


def test_an_integer_of_64_bits_is_understood(admin: Client) -> None:
    answer = admin.post("/rooms", json={"spec": {"name": "x", "data_center_id": 2**63 - 1}})
    assert answer.status_code == 400
    assert "there is no data_center 9223372036854775807" in answer.json()["message"]


def test_an_item_of_a_list_is_named_by_its_place(admin: Client) -> None:
    spec = {"resource_type": "role", "resource_ids": [1, 0]}
    answer = admin.post("/label-values/1/:attach", json={"spec": spec})
    assert answer.status_code == 400
    assert answer.json()["details"]["field"] == "spec.resource_ids[1]"


PROFILES: dict[str, tuple[str, int]] = {
    "a number beyond 64 bits": (str(2**70), 202),
    "a number of thousands of digits": (LONG_DIGITS, 400),
    "a number that is infinite": ("1e999", 400),
    "a key that is repeated": ('{"b":{"c":1,"c":2}}', 400),
    "text with NUL": ('"a\\u0000b"', 400),
    "a key with NUL": ('{"a\\u0000b":1}', 400),
    "text that only looks like NUL": ('"a\\\\u0000b"', 202),
    "lists 30 levels deep": ("[" * 30 + "]" * 30, 202),
    "lists 40 levels deep": ("[" * 40 + "]" * 40, 400),
    "lists 900 levels deep": ("[" * 900 + "]" * 900, 400),
    "objects 300 levels deep": ('{"a":' * 300 + "1" + "}" * 300, 400),
    "text of 70,000 characters": (json.dumps("x" * 70_000), 400),
}


@pytest.mark.parametrize("what", PROFILES)
def test_free_json_is_kept_as_it_is_or_refused_by_name(admin: Client, what: str) -> None:
    value, status = PROFILES[what]
    path = "/users/1/:ui-profile"
    answer = admin.patch(path, content=f'{{"spec":{{"profile":{{"a":{value}}}}}}}'.encode())
    assert answer.status_code == status, answer.text
    if status == 202:
        assert admin.get(path).json() == {"profile": {"a": json.loads(value)}}
    else:
        assert answer.json()["details"]["field"].startswith("spec.profile")
    assert admin.patch(path, json={"spec": {"profile": {"a": None}}}).status_code == 202


def test_a_body_of_one_mebibyte_is_read_and_one_of_a_byte_more_is_not(admin: Client) -> None:
    head, tail = b'{"spec":{"name":"', b'"}}'
    largest = head + b"x" * (2**20 - len(head) - len(tail)) + tail
    assert admin.post("/data-centers", content=largest).json()["details"]["field"] == "spec.name"
    answer = admin.post("/data-centers", content=b" " + largest)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert answer.headers["connection"] == "close"


def test_a_body_that_does_not_say_its_length_is_counted(admin: Client) -> None:
    def pieces() -> Any:
        for _ in range(40):
            yield b" " * 65536

    answer = admin.post("/data-centers", content=pieces())
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"],
)
def test_a_body_of_another_type_is_refused(admin: Client, media_type: str) -> None:
    answer = admin.post(
        "/data-centers", content=b'{"spec":{"name":"x"}}', headers={"content-type": media_type}
    )
    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media"
    assert media_type.partition(";")[0] in answer.json()["message"]


@pytest.mark.parametrize(
    "media_type", ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]
)
def test_json_by_another_name_is_read(admin: Client, media_type: str, unique: Callable[[str], str]) -> None:
    body = json.dumps({"spec": {"name": unique("centre")}}).encode()
    answer = admin.post("/data-centers", content=body, headers={"content-type": media_type})
    assert answer.status_code == 202


def test_a_body_without_a_type_is_read_as_json(admin: Client, unique: Callable[[str], str]) -> None:
    body = json.dumps({"spec": {"name": unique("centre")}}).encode()
    request = admin.build_request("POST", "/data-centers", content=body)
    assert "content-type" not in request.headers
    assert admin.send(request).status_code == 202


# -- bodies that take their time -----------------------------------------------------------------------


def _connected(server: RunningServer) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def _head(server: RunningServer, token: str, length: int) -> bytes:
    path = urlsplit(server.url).path
    return (
        f"POST {path}/data-centers HTTP/1.1\r\nhost: x\r\nx-sddc-token: {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    ).encode()


def test_a_body_that_trickles_in_is_given_up_and_its_connection_closed(
    impatient_server: RunningServer,
) -> None:
    client = impatient_server.client()
    with _connected(impatient_server) as connection:
        connection.sendall(_head(impatient_server, client.headers["x-sddc-token"], 1000) + b'{"spec":')
        started = time.monotonic()
        received = b""
        while piece := connection.recv(65536):
            received += piece
        took = time.monotonic() - started
    assert received.startswith(b"HTTP/1.1 408 ")
    assert json.loads(received.partition(b"\r\n\r\n")[2])["code"] == "too_slow"
    assert 0.3 < took < 10


def test_a_client_that_goes_away_within_its_body_is_no_error_of_the_servers(
    impatient_server: RunningServer,
) -> None:
    client = impatient_server.client()
    with _connected(impatient_server) as connection:
        connection.sendall(_head(impatient_server, client.headers["x-sddc-token"], 1000) + b'{"spec":')
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = client.get("/audit-logs", params={"q": 'message:~".*not sent to its end.*"'}).json()
        if found["items"]:
            break
        time.sleep(0.05)
    assert len(found["items"]) == 1
    assert [line for line in impatient_server.log_lines() if line["event"] == "unexpected_error"] == []
