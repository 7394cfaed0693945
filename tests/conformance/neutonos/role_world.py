"""Two projects with a user of every role, and targets for every request of the role walk."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
from role_table import Caller, Target

from running_server import Client, RunningServer

PASSWORD = "a walk through the roles"
CONSOLE_PASSWORD = "sesame"
_CLUSTER = (Caller.SYSTEM, Caller.SECURITY, Caller.AUDITOR)
_PROJECT = (Caller.ADMIN, Caller.MEMBER, Caller.OBSERVER)


@dataclass
class World:
    """What the walk finds when it begins. Project A is the callers', project B is not."""

    server: RunningServer
    #: without a token of its own
    bare: httpx.Client
    root: Client
    roles: dict[str, int]
    project_a: int
    project_b: int
    users: dict[Caller, int] = field(default_factory=dict)
    tokens: dict[Caller, str] = field(default_factory=dict)
    #: what requests that only read can be about again, by path segment and project
    lasting: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
    numbers: Any = field(default_factory=lambda: count(1))

    # -- callers -------------------------------------------------------------------------------------

    def log_in(self, caller: Caller) -> str:
        """A new token, for project A where the caller may enter it."""
        if caller is Caller.ANONYMOUS:
            return ""
        scope = {"project_id": self.project_a} if caller in (Caller.SYSTEM, *_PROJECT) else {}
        spec = {"name": self.name_of(caller), "password": PASSWORD, **scope}
        answer = self.root.post("/tokens/:login", json={"spec": spec})
        assert answer.status_code == 201, answer.text
        return answer.json()["uuid"]

    def send(
        self, caller: Caller, method: str, path: str, *, token: str | None = None, **more: Any
    ) -> httpx.Response:
        secret = self.tokens[caller] if token is None else token
        headers = {"x-sddc-token": secret} if secret else {}
        return self.bare.request(method, path, headers={**headers, **more.pop("headers", {})}, **more)

    @staticmethod
    def name_of(caller: Caller) -> str:
        return f"the {caller.value}"

    # -- things --------------------------------------------------------------------------------------

    def name(self, kind: str = "thing") -> str:
        return f"{kind} {next(self.numbers)}"

    def project_of(self, target: Target) -> int:
        return self.project_b if target is Target.FOREIGN else self.project_a

    def make(self, plural: str, *, project: int | None = None, **spec: object) -> int:
        """A new resource, made by the administrator; of a project where one is given."""
        client = self.root if project is None else self.in_project(project)
        answer = client.post(f"/{plural}", json={"spec": {"name": self.name(), **spec}})
        assert answer.status_code == 202, answer.text
        return answer.json()["metadata"]["id"]

    def in_project(self, project: int) -> Client:
        client = self._clients.get(project)
        if client is None:
            client = self._clients[project] = self.server.client(project_id=project)
        return client

    _clients: dict[int, Client] = field(default_factory=dict)

    def user(self, *projects: int) -> int:
        """A new user who observes these projects."""
        id = self.make("users", password=PASSWORD)
        for project in projects:
            self.add_to(project, id)
        return id

    def add_to(self, project: int, user: int) -> None:
        spec = {"user_id": user, "role_id": self.roles["observer"]}
        answer = self.root.post(f"/projects/{project}/:add-user", json={"spec": spec})
        assert answer.status_code == 202, answer.text

    def rack(self) -> int:
        room = self.make("rooms", data_center_id=self.make("data-centers"))
        return self.make("racks", room_id=room)

    def policy(self) -> int:
        return self.root.get("/bs-policies").json()["items"][0]["metadata"]["id"]

    def volume(self, project: int) -> int:
        return self._active("bs-volumes", project, bs_policy_id=self.policy(), size_mb=1)

    def snapshot(self, volume: int, project: int) -> int:
        return self._active("bs-snaps", project, bs_volume_id=volume)

    def network(self, project: int, **spec: object) -> int:
        return self._active("br-nets", project, vsw_id=self.make("vsws"), vlan_id=0, **spec)

    def part_of_network(self, plural: str) -> int:
        """A bridge, a namespace or a subnet."""
        network = self.network(self.project_a, cidr="10.1.2.0/24")
        found = self.root.get(f"/{plural}", params={"q": f"spec.br_net_id:{network}"}).json()["items"]
        return found[0]["metadata"]["id"]

    def machine(self, project: int, **spec: object) -> int:
        return self.make(
            "virtual-machines",
            project=project,
            memory_mb=64,
            graphics_password=CONSOLE_PASSWORD,
            **spec,
        )

    def moment(self, machine: int, project: int) -> int:
        """A snapshot of a machine."""
        return self.make("vm-snaps", project=project, vm_id=machine)

    def whole_machine(self, project: int) -> int:
        """A machine with one of each sort of part."""
        return self.machine(
            project,
            vm_disks=[{"size_mb": 1, "bs_policy_id": self.policy()}],
            vm_nics=[{"br_net_id": self.network(project)}],
            vm_cd_roms=[{}],
        )

    def part_of_moment(self, plural: str, project: int) -> int:
        """A disk, an interface or a drive in a snapshot."""
        moment = self.moment(self.whole_machine(project), project)
        return self._first(plural, f"spec.vm_snap_id:{moment}")

    def job(self, plural: str, project: int) -> int:
        """A job of the deletion of a machine."""
        machine = self.whole_machine(project)
        assert self.root.delete(f"/virtual-machines/{machine}").status_code == 202
        return self._first(plural, f"spec.vm_id:{machine}")

    def _first(self, plural: str, q: str) -> int:
        return self.root.get(f"/{plural}", params={"q": q}).json()["items"][0]["metadata"]["id"]

    def nic(self) -> int:
        """A network card that is in no switch."""
        for nic in self.root.get("/nics").json()["items"]:
            switch = nic["spec"].get("vsw_id")
            if switch is None:
                return nic["metadata"]["id"]
            spec = {"nic_ids": [nic["metadata"]["id"]]}
            assert self.root.post(f"/vsws/{switch}/:detach-nics", json={"spec": spec}).status_code == 202
        return self.nic()

    def _active(self, plural: str, project: int, **spec: object) -> int:
        made = self.in_project(project).create(plural, name=self.name(), **spec)
        return made["metadata"]["id"]

    def close(self) -> None:
        for client in (self.bare, self.root, *self._clients.values()):
            client.close()


def build(server: RunningServer) -> World:
    """The two projects and everybody in them."""
    root = server.client()
    roles = {role["metadata"]["name"]: role["metadata"]["id"] for role in root.get("/roles").json()["items"]}
    project_a = root.create("projects", name="project A")["metadata"]["id"]
    project_b = root.create("projects", name="project B")["metadata"]["id"]
    world = World(server, Client(server.url), root, roles, project_a, project_b)
    for caller in Caller:
        if caller is Caller.ANONYMOUS:
            world.tokens[caller] = ""
            continue
        role = {"role_id": roles[caller.value]} if caller in _CLUSTER else {}
        id = root.create("users", name=world.name_of(caller), password=PASSWORD, **role)["metadata"]["id"]
        if caller in _PROJECT:
            spec = {"user_id": id, "role_id": roles[caller.value]}
            assert root.post(f"/projects/{project_a}/:add-user", json={"spec": spec}).status_code == 202
        world.users[caller] = id
        world.tokens[caller] = world.log_in(caller)
    for project in (project_a, project_b):
        # so that either has an event, an audit log and something to be found in lists
        world.in_project(project).create("label-keys", name=f"of project {project}")
    return world
