"""The server as a process, and HTTP around the endpoints: start, stop, TLS, CORS, headers, paths."""

import datetime
import ipaddress
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from running_server import CHEAP_HASHING, Client, RunningServer, running_server

ORIGIN = "https://console.example.org"


def stratal(*arguments: str, environment: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    variables = {**os.environ, **CHEAP_HASHING, "STRATAL_METRICS_LISTEN": "", **(environment or {})}
    return subprocess.run(
        [sys.executable, "-m", "stratal", *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


# -- headers and paths ---------------------------------------------------------------------------------


def test_an_answer_has_the_id_that_the_client_gave_the_request(admin: Client) -> None:
    answer = admin.get("/version", headers={"x-request-id": "ticket-4711:a.b_c"})
    assert answer.headers["x-request-id"] == "ticket-4711:a.b_c"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a/b", "<script>"])
def test_a_request_without_a_fit_id_gets_a_new_one(admin: Client, given: str) -> None:
    first, second = (admin.get("/version", headers={"x-request-id": given}) for _ in range(2))
    ids = {first.headers["x-request-id"], second.headers["x-request-id"]}
    assert len(ids) == 2
    assert all(re.fullmatch(r"[0-9a-f-]{36}", id) for id in ids)


def test_an_error_names_the_id_of_its_request(admin: Client) -> None:
    for path in ("/users/987654", "/nowhere", "/users/x"):
        answer = admin.get(path, headers={"x-request-id": "mine"})
        assert answer.status_code in (400, 404)
        assert answer.headers["x-request-id"] == answer.json()["details"]["request_id"] == "mine"


def test_answers_are_json_that_nobody_caches_or_takes_for_something_else(admin: Client) -> None:
    for answer in (admin.get("/users/1"), admin.get("/nowhere"), admin.get("/users/987654")):
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/", "", "/users/1/nowhere", "/users/1/:nowhere", "/users/1/2"],
)
def test_a_path_that_is_not_served_is_answered_in_the_dialect_of_the_face(admin: Client, path: str) -> None:
    answer = httpx.get(f"{str(admin.base_url).rstrip('/')}{path}", headers=admin.headers)
    assert answer.status_code in (404, 405)
    assert set(answer.json()) == {"message", "code", "details"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/users/1"),
        ("DELETE", "/users"),
        ("PATCH", "/roles/1"),
        ("POST", "/version"),
        ("PUT", "/settings"),
    ],
)
def test_a_method_that_is_not_served_is_answered_with_those_that_are(
    admin: Client, method: str, path: str
) -> None:
    answer = admin.request(method, path)
    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"
    assert "GET" in answer.headers["allow"]
    assert method not in answer.headers["allow"]


@pytest.mark.parametrize("id", ["0", "-1", "x", "1.0", "9223372036854775808", "1" * 400, "%00", "٣", "1e3"])
def test_an_id_that_is_no_positive_integer_of_64_bits_is_refused_by_name(admin: Client, id: str) -> None:
    answer = admin.get(f"/users/{id}")
    assert answer.status_code == 400
    assert answer.json()["details"]["field"] == "id"


# -- CORS ----------------------------------------------------------------------------------------------


def test_by_default_no_page_may_call_the_api(shared_server: RunningServer) -> None:
    headers = {"origin": ORIGIN, "access-control-request-method": "POST"}
    preflight = httpx.options(shared_server.url + "/users", headers=headers)
    call = httpx.get(shared_server.url + "/version", headers={"origin": ORIGIN})
    for answer in (preflight, call):
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_pages_of_configured_origins_may_call_the_api_and_read_its_errors(
    impatient_server: RunningServer,
) -> None:
    asked = {
        "origin": ORIGIN,
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "x-sddc-token,content-type,if-match,x-request-id",
    }
    preflight = httpx.options(impatient_server.url + "/users/1/", headers=asked)
    assert preflight.status_code in (200, 204)
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert all(name in allowed for name in asked["access-control-request-headers"].split(","))
    for path in ("/version", "/users/x", "/nowhere"):
        answer = httpx.get(impatient_server.url + path, headers={"origin": ORIGIN, "x-sddc-token": "wrong"})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in answer.headers["access-control-expose-headers"]


def test_pages_of_other_origins_may_not_call_the_api(impatient_server: RunningServer) -> None:
    headers = {"origin": "https://evil.example.org", "access-control-request-method": "GET"}
    for answer in (
        httpx.options(impatient_server.url + "/users", headers=headers),
        httpx.get(impatient_server.url + "/version", headers=headers),
    ):
        assert answer.headers.get("access-control-allow-origin") not in ("*", headers["origin"])


# -- TLS -----------------------------------------------------------------------------------------------


def certificate(directory: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    chain, secret = directory / "certificate.pem", directory / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, secret


def test_tls_is_a_matter_of_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain, key = certificate(tmp_path)
    monkeypatch.setattr(httpx, "get", _verifying_get(chain))  # the helper waits with it
    settings = {"STRATAL_SERVER__TLS_CERTIFICATE": str(chain), "STRATAL_SERVER__TLS_KEY": str(key)}
    with running_server(tmp_path / "server", environment=settings) as server:
        assert server.url.startswith("https://")
        with httpx.Client(verify=ssl.create_default_context(cafile=str(chain))) as client:
            spec = {"name": "admin", "password": server.password}
            answer = client.post(f"{server.url}/tokens/:login", json={"spec": spec})
            assert answer.status_code == 201
        with pytest.raises(httpx.TransportError):
            httpx.post(server.url.replace("https", "http") + "/tokens/:login")


def _verifying_get(chain: Path) -> Callable[[str], httpx.Response]:
    def get(url: str) -> httpx.Response:
        with httpx.Client(verify=ssl.create_default_context(cafile=str(chain))) as client:
            return client.get(url)

    return get


# -- stopping ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stopping", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_requests_come_to_their_end_and_leaves_nothing_behind(
    tmp_path: Path, stopping: signal.Signals
) -> None:
    with running_server(tmp_path) as server:
        client = server.client()
        address = urlsplit(server.url)
        body = json.dumps({"spec": {"name": "made while stopping"}}).encode()
        head = (
            f"POST {address.path}/data-centers HTTP/1.1\r\nhost: x\r\n"
            f"x-sddc-token: {client.headers['x-sddc-token']}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode()
        with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
            connection.sendall(head + body[:10])
            time.sleep(0.3)  # until the request is being answered
            server.process.send_signal(stopping)
            time.sleep(0.3)
            connection.sendall(body[10:])
            received = connection.recv(65536)
        assert received.startswith(b"HTTP/1.1 202 ")
        assert server.process.wait(timeout=30) == 0
        text = (server.directory / "log").read_text()
        assert "Traceback" not in text
        assert "engine_stopped_with_work_running" not in text
    with running_server(tmp_path) as again:
        assert again.password == ""
        client = Client(again.url)
        client.log_in("admin", server.password)
        found = client.get("/data-centers").json()["items"]
        assert [item["metadata"]["name"] for item in found] == ["made while stopping"]
        assert client.settled("data-centers", found[0]["metadata"]["id"])


def test_what_was_acknowledged_is_there_after_a_power_cut(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        client = server.client()
        answers: list[int] = []

        def create() -> None:
            for number in range(1000):
                try:
                    answer = client.post("/data-centers", json={"spec": {"name": f"centre {number}"}})
                except httpx.TransportError:
                    return
                answers.append(answer.json()["metadata"]["id"])

        thread = threading.Thread(target=create)
        thread.start()
        time.sleep(0.7)
        server.kill()
        thread.join()
        assert answers
    with running_server(tmp_path) as again:
        client = Client(again.url)
        client.log_in("admin", server.password)
        for id in answers:
            client.settled("data-centers", id)


# -- starts that fail ----------------------------------------------------------------------------------


def _refused(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    [message] = [line for line in done.stderr.splitlines() if line.startswith("stratal: ")]
    for word in words:
        assert word in message
    assert done.stdout == ""


def test_a_second_server_on_the_same_data_directory_is_refused(shared_server: RunningServer) -> None:
    directory = shared_server.directory / "data"
    done = stratal("serve", "--port", "0", "--data-directory", str(directory))
    _refused(done, "another Stratal server", str(directory))


def test_a_port_that_is_taken_is_named(shared_server: RunningServer, tmp_path: Path) -> None:
    port = urlsplit(shared_server.url).port
    done = stratal("serve", "--port", str(port), "--data-directory", str(tmp_path))
    _refused(done, f"cannot listen on 127.0.0.1:{port}", "in use")


def test_a_metrics_port_that_is_taken_is_named(shared_server: RunningServer, tmp_path: Path) -> None:
    listen = f"127.0.0.1:{urlsplit(shared_server.url).port}"
    environment = {"STRATAL_METRICS_LISTEN": listen}
    done = stratal("serve", "--port", "0", "--data-directory", str(tmp_path), environment=environment)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"metrics cannot listen at {listen}" in done.stderr


BAD_SETTINGS: dict[str, tuple[dict[str, str], str]] = {
    "an unknown word": ({"STRATAL_LOG__LEVEL": "loud"}, "log.level"),
    "a port that is none": ({"STRATAL_SERVER__PORT": "seventy"}, "server.port"),
    "an origin that is none": ({"STRATAL_SERVER__CORS_ALLOW_ORIGINS": "console"}, "cors_allow_origins"),
    "a certificate without a key": ({"STRATAL_SERVER__TLS_CERTIFICATE": "/etc/hostname"}, "tls"),
    "a certificate that is none": (
        {"STRATAL_SERVER__TLS_CERTIFICATE": "/etc/hostname", "STRATAL_SERVER__TLS_KEY": "/etc/hostname"},
        "server.tls_certificate",
    ),
    "a database of another make": ({"STRATAL_DATABASE_URL": "mysql://localhost/x"}, "database_url"),
    "a database URL that is none": (
        {"STRATAL_DATABASE_URL": "postgresql+psycopg://h:port/x"},
        "database_url",
    ),
    "a driver that does not exist": ({"STRATAL_DATABASE_URL": "postgresql+nodriver://h/x"}, "database_url"),
    "a database that is away": (
        {"STRATAL_DATABASE_URL": "postgresql+psycopg://u:hidden-word@127.0.0.1:1/x"},
        "the database does not work",
    ),
    "a database file that cannot be": (
        {"STRATAL_DATABASE_URL": "sqlite:////proc/x/y.db"},
        "cannot be opened",
    ),
}


@pytest.mark.parametrize("what", BAD_SETTINGS)
def test_bad_settings_end_the_start_with_a_message(tmp_path: Path, what: str) -> None:
    environment, word = BAD_SETTINGS[what]
    port = {"STRATAL_SERVER__PORT": "0"}
    done = stratal("serve", "--data-directory", str(tmp_path), environment=port | environment)
    _refused(done, word)
    assert "hidden-word" not in done.stderr


def test_a_configuration_file_that_is_no_toml_is_named_with_the_place(tmp_path: Path) -> None:
    file = tmp_path / "stratal.toml"
    file.write_text("[server]\nport = \n")
    _refused(stratal("serve", "--config", str(file)), str(file), "line 2")
    _refused(stratal("serve", "--config", str(tmp_path / "none.toml")), "none.toml", "No such file")
    file.write_text("[server]\nprot = 1\n")
    _refused(stratal("serve", "--config", str(file)), "server.prot")


def test_a_data_directory_that_cannot_be_is_named() -> None:
    _refused(stratal("serve", "--port", "0", "--data-directory", "/proc/stratal"), "/proc/stratal")


# -- a password that was lost --------------------------------------------------------------------------


def test_an_operator_at_the_machine_can_reset_a_password_while_the_server_runs(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        old = server.client()
        done = stratal("reset-password", "admin", "--data-directory", str(server.directory / "data"))
        assert done.returncode == 0, done.stderr
        password = done.stdout.split()[-1]
        assert old.get("/version").status_code == 401
        spec = {"name": "admin", "password": server.password}
        assert old.post("/tokens/:login", json={"spec": spec}).status_code == 401
        assert server.client(password=password).get("/version").status_code == 200
        assert password not in done.stderr


def test_resetting_the_password_of_nobody_is_refused(shared_server: RunningServer, tmp_path: Path) -> None:
    data = str(shared_server.directory / "data")
    _refused(stratal("reset-password", "nobody", "--data-directory", data), "there is no user nobody")
    _refused(stratal("reset-password", "admin", "--data-directory", str(tmp_path)), "start the server once")
