"""What the tests of identity do again and again: encrypting passwords, making users, counting."""

import base64
import time
from collections.abc import Callable
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from running_server import Client

PASSWORD = "correct horse battery"

PADDINGS: dict[str, padding.AsymmetricPadding] = {
    "PKCS#1 v1.5": padding.PKCS1v15(),
    "OAEP with SHA-1": padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),
    "OAEP with SHA-256": padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
}


class Encryption:
    """A key that the server gave out."""

    def __init__(self, client: httpx.Client, using: str = "OAEP with SHA-256") -> None:
        answer = client.post("/rsa-keys/")
        assert answer.status_code == 200
        self.key = answer.json()
        public = serialization.load_pem_public_key(self.key["public_key"].encode())
        assert isinstance(public, rsa.RSAPublicKey)
        self._public = public
        self._padding = PADDINGS[using]

    def of(self, password: str) -> str:
        return base64.b64encode(self._public.encrypt(password.encode(), self._padding)).decode()

    def fields(self, password: str) -> dict[str, str]:
        return {"encrypted_password": self.of(password), "rsa_key_id": self.key["id"]}


def log_in(client: httpx.Client, name: str, password: str = PASSWORD, **spec: Any) -> httpx.Response:
    """Try to log in, without any token."""
    body = {"spec": {"name": name, "password": password, **spec}}
    return httpx.post(f"{str(client.base_url).rstrip('/')}/tokens/:login", json=body, timeout=30)


def with_token(client: httpx.Client, answer: httpx.Response) -> Client:
    """A client that uses the token of a login."""
    assert answer.status_code == 201, answer.text
    made = Client(str(client.base_url).rstrip("/"))
    made.headers["x-sddc-token"] = answer.json()["uuid"]
    return made


def role_id(client: httpx.Client, name: str) -> int:
    [role] = client.get("/roles", params={"q": f"spec.name:{name}"}).json()["items"]
    return role["metadata"]["id"]


def make_user(client: Client, name: str, role: str | None = None, **spec: Any) -> int:
    if role is not None:
        spec["role_id"] = role_id(client, role)
    return client.create("users", name=name, **{"password": PASSWORD, **spec})["metadata"]["id"]


def add_member(client: Client, project: int, user: int, role: str = "project_member") -> None:
    spec = {"user_id": user, "role_id": role_id(client, role)}
    answer = client.post(f"/projects/{project}/:add-user", json={"spec": spec})
    assert answer.status_code == 202, answer.text


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until it holds: reconcilers count soon, and not at once."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
