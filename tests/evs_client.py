"""A plain client of the EVS face, for tests that look at the wire itself."""

import time
from types import TracebackType
from typing import Any

import httpx

from running_server import RunningServer


class Cloud:
    """Somebody who is logged in to a project."""

    def __init__(self, server: RunningServer, name: str, password: str, project: str) -> None:
        self.server = server
        self.base = server.url.removesuffix("/sddc/v1")
        self.name, self.password, self.project_name = name, password, project
        self.http = httpx.Client(base_url=self.base, timeout=30.0)
        answer = self.log_in(project)
        assert answer.status_code == 201, answer.text
        self.token = answer.headers["x-subject-token"]
        self.described = answer.json()["token"]
        self.http.headers["x-auth-token"] = self.token
        self.project: str = self.described["project"]["id"]
        self.user: str = self.described["user"]["id"]

    def __enter__(self) -> "Cloud":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def log_in(self, project: str | None, **user: str) -> httpx.Response:
        domain = {"domain": {"name": "Default"}}
        who = {"name": self.name, "password": self.password, **domain, **user}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": who}}}
        if project is not None:
            auth["scope"] = {"project": {"name": project, **domain}}
        return httpx.post(f"{self.base}/identity/v3/auth/tokens", json={"auth": auth})

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        version: str | None = None,
        expect: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """A request to Block Storage; `version` is the microversion."""
        sent = dict(headers or {})
        if version is not None:
            sent["openstack-api-version"] = f"volume {version}"
        answer = self.http.request(method, path, json=body, headers=sent)
        assert expect is None or answer.status_code == expect, (answer.status_code, answer.text)
        return answer

    def identity(
        self, method: str, path: str, body: Any = None, *, expect: int | None = None
    ) -> httpx.Response:
        return self.call(method, f"/identity/v3{path}", body, expect=expect)

    def new_user(self, name: str, project: str, role: str) -> str:
        """A user with a role in a project. Returns the password."""
        password = f"{name}-secret-1"
        user = self.identity("POST", "/users", {"user": {"name": name, "password": password}}, expect=201)
        projects = self.identity("GET", f"/projects?name={project}").json()["projects"]
        roles = self.identity("GET", f"/roles?name={role}").json()["roles"]
        path = f"/projects/{projects[0]['id']}/users/{user.json()['user']['id']}/roles/{roles[0]['id']}"
        self.identity("PUT", path, expect=204)
        return password

    # -- volumes and snapshots -----------------------------------------------------------------------

    def volume(self, *, size: int | None = 1, **fields: Any) -> str:
        """A new volume, once it is available."""
        body = {"volume": {"size": size, **fields}}
        made = self.call("POST", "/v3/volumes", body, version="3.66", expect=202).json()["volume"]
        self.settled("volume", made["id"])
        return made["id"]

    def snapshot(self, volume: str, **fields: Any) -> str:
        """A new snapshot, once it is available."""
        body = {"snapshot": {"volume_id": volume, **fields}}
        made = self.call("POST", "/v3/snapshots", body, version="3.66", expect=202).json()["snapshot"]
        self.settled("snapshot", made["id"])
        return made["id"]

    def show(self, what: str, uuid: str, version: str = "3.66") -> dict[str, Any]:
        return self.call("GET", f"/v3/{what}s/{uuid}", version=version, expect=200).json()[what]

    def settled(self, what: str, uuid: str, status: str = "available", seconds: float = 20.0) -> None:
        """Wait until it has this status."""
        deadline = time.monotonic() + seconds
        while (found := self.show(what, uuid))["status"] != status:
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

    def gone(self, what: str, uuid: str, seconds: float = 20.0) -> None:
        """Wait until there is no such thing any more."""
        deadline = time.monotonic() + seconds
        while self.call("GET", f"/v3/{what}s/{uuid}").status_code != 404:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def act(self, volume: str, action: str, arguments: Any = None, **options: Any) -> httpx.Response:
        return self.call("POST", f"/v3/volumes/{volume}/action", {action: arguments}, **options)

    def access_key(self) -> tuple[str, str]:
        """A new access key and its secret."""
        body = {"credential": {"user_id": self.user, "description": "test"}}
        made = self.call("POST", "/identity/v3.0/OS-CREDENTIAL/credentials", body, expect=201)
        key = made.json()["credential"]
        return key["access"], key["secret"]
