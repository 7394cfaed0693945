"""The same few things asked of the EVS face and of the NeutonOS face over one connection. Called by `evs`."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
from tests.running_server import RunningServer

NATIVE, EVS = "NeutonOS face", "EVS face"
VOLUMES = 1000
POLL_SECONDS = 0.05
_GIB_MB = 1024


class Connection:
    """A connection to a server, which asks one thing after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, headers: str) -> None:
        self._reader, self._writer, self._headers = reader, writer, headers

    @classmethod
    async def open(cls, url: str, headers: str) -> "Connection":
        host, _, port = url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=2**24)
        return cls(reader, writer, f"host: {host}\r\ncontent-type: application/json\r\n{headers}")

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        content = b"" if body is None else msgspec.json.encode(body)
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}content-length: {len(content)}\r\n\r\n"
        self._writer.write(head.encode() + content)
        answered = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = answered.partition(b"content-length:")[2].partition(b"\r\n")[0]
        return int(answered.split(maxsplit=2)[1]), await self._reader.readexactly(int(length or 0))

    async def call(self, expect: int, method: str, path: str, body: object = None) -> Any:
        status, answer = await self.ask(method, path, body)
        if status != expect:
            raise RuntimeError(f"{method} {path} was answered with {status}: {answer[:300]!r}")
        return msgspec.json.decode(answer) if answer else None

    def close(self) -> None:
        self._writer.close()


@dataclass(frozen=True, kw_only=True)
class Face:
    """The same few things in the words of one of the faces. Volumes and snapshots are what it calls them."""

    name: str
    server: RunningServer
    headers: str
    list_path: str
    volume: Callable[[Connection], Awaitable[str]]
    #: each begins something, and returns where to ask whether it is done
    snapshot: Callable[[Connection, str], Awaitable[tuple[str, str]]]
    revert: Callable[[Connection, str, str], Awaitable[str]]
    extend: Callable[[Connection, str, int], Awaitable[str]]
    delete: Callable[[Connection, str], Awaitable[str]]
    is_done: Callable[[Any], bool]

    async def connect(self) -> Connection:
        return await Connection.open(root(self.server), self.headers)

    async def until_done(self, connection: Connection, path: str, pause: float = 0.0) -> None:
        while not self.is_done(await connection.call(200, "GET", path)):
            if pause:
                await asyncio.sleep(pause)

    async def until_gone(self, connection: Connection, path: str) -> None:
        while (await connection.ask("GET", path))[0] != 404:
            pass


def root(server: RunningServer) -> str:
    return server.url.removesuffix("/sddc/v1")


def native(server: RunningServer) -> Face:
    with closing(server.client()) as client:
        headers = f"x-sddc-token: {client.headers['x-sddc-token']}\r\n"
        policy = client.get("/bs-policies/?q=spec.name:default").json()["items"][0]["metadata"]["id"]
    volumes, snapshots = "/sddc/v1/bs-volumes", "/sddc/v1/bs-snaps"

    async def made(connection: Connection, path: str, **spec: object) -> str:
        answer = await connection.call(202, "POST", f"{path}/", {"spec": spec})
        return str(answer["metadata"]["id"])

    async def volume(connection: Connection) -> str:
        id = await made(connection, volumes, name="bench", size_mb=_GIB_MB, bs_policy_id=policy)
        await face.until_done(connection, f"{volumes}/{id}", POLL_SECONDS)
        return id

    async def snapshot(connection: Connection, of: str) -> tuple[str, str]:
        id = await made(connection, snapshots, name="s", bs_volume_id=int(of))
        return id, f"{snapshots}/{id}"

    async def revert(connection: Connection, volume: str, to: str) -> str:
        body = {"spec": {"bs_snap_id": int(to)}}
        await connection.call(202, "POST", f"{volumes}/{volume}/:rollback", body)
        return f"{volumes}/{volume}"

    async def extend(connection: Connection, volume: str, size_gb: int) -> str:
        body = {"spec": {"size_mb": size_gb * _GIB_MB}}
        await connection.call(202, "PATCH", f"{volumes}/{volume}", body)
        return f"{volumes}/{volume}"

    async def delete(connection: Connection, snapshot: str) -> str:
        await connection.call(202, "DELETE", f"{snapshots}/{snapshot}")
        return f"{snapshots}/{snapshot}"

    def is_done(answer: Any) -> bool:
        return answer["metadata"]["state"]["state"] == "active"

    face = Face(
        name=NATIVE,
        server=server,
        headers=headers,
        list_path=f"{volumes}/?limit={VOLUMES}",
        volume=volume,
        snapshot=snapshot,
        revert=revert,
        extend=extend,
        delete=delete,
        is_done=is_done,
    )
    return face


def evs(server: RunningServer) -> Face:
    token, _ = logged_in(server)
    volumes, snapshots = "/v3/volumes", "/v3/snapshots"

    async def volume(connection: Connection) -> str:
        body = {"volume": {"size": 1, "name": "bench"}}
        id = str((await connection.call(202, "POST", volumes, body))["volume"]["id"])
        await face.until_done(connection, f"{volumes}/{id}", POLL_SECONDS)
        return id

    async def snapshot(connection: Connection, of: str) -> tuple[str, str]:
        body = {"snapshot": {"volume_id": of, "name": "s"}}
        id = str((await connection.call(202, "POST", snapshots, body))["snapshot"]["id"])
        return id, f"{snapshots}/{id}"

    async def act(connection: Connection, volume: str, action: str, arguments: object) -> str:
        await connection.call(202, "POST", f"{volumes}/{volume}/action", {action: arguments})
        return f"{volumes}/{volume}"

    async def revert(connection: Connection, volume: str, to: str) -> str:
        return await act(connection, volume, "revert", {"snapshot_id": to})

    async def extend(connection: Connection, volume: str, size_gb: int) -> str:
        return await act(connection, volume, "os-extend", {"new_size": size_gb})

    async def delete(connection: Connection, snapshot: str) -> str:
        await connection.call(202, "DELETE", f"{snapshots}/{snapshot}")
        return f"{snapshots}/{snapshot}"

    def is_done(answer: Any) -> bool:
        [found] = answer.values()
        return found["status"] == "available"

    face = Face(
        name=EVS,
        server=server,
        headers=f"x-auth-token: {token}\r\nopenstack-api-version: volume 3.66\r\n",
        list_path=f"{volumes}/detail?limit={VOLUMES}",
        volume=volume,
        snapshot=snapshot,
        revert=revert,
        extend=extend,
        delete=delete,
        is_done=is_done,
    )
    return face


def logged_in(server: RunningServer) -> tuple[str, str]:
    """A token of the administrator and the id of the first project."""
    domain = {"domain": {"id": "default"}}
    user = {"name": "admin", "password": server.password, **domain}
    identity = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": identity, "scope": {"project": {"name": "default", **domain}}}}
    answer = httpx.post(f"{root(server)}/identity/v3/auth/tokens", json=body).raise_for_status()
    return answer.headers["x-subject-token"], answer.json()["token"]["project"]["id"]
