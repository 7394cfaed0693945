"""Whatever can be built from the OpenAPI document, sound or not, gets a documented answer and never a 500.

Schemathesis builds the requests: the boundaries of every field one by one, then random ones, always the same.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from running_server import Client, RunningServer, running_server

DOCUMENT = Path(__file__).parents[3] / "docs/openapi/neutonos.json"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
#: resources of each kind that there are when the run begins; requests are steered to them now and then
POPULATION = 4
LONGEST_URL = 60_000

schema = schemathesis.openapi.from_path(
    DOCUMENT,
    config=SchemathesisConfig.from_dict(
        {
            "seed": 1,
            # who may do what is the role walk's, and which methods there are is test_serving's
            "generation": {"with-security-parameters": False, "deterministic": True},
            "phases": {"coverage": {"unexpected-methods": []}},
        }
    ),
)


class Fuzzer:
    """A system administrator whose token and project are made again when a request did away with them."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.session = requests.Session()
        self.client = server.client()
        _populate(self.client)
        role = self.client.get("/roles", params={"q": "spec.name:system_admin"}).json()["items"][0]
        self.client.create("users", name="fuzzer", password="fuzz and fuzz", role_id=role["metadata"]["id"])
        self._log_in()

    def _log_in(self) -> None:
        client = Client(self.server.url)
        client.log_in("fuzzer", "fuzz and fuzz")
        project = client.create("projects", name=f"of token {client.headers['x-sddc-token']}")
        id = project["metadata"]["id"]
        answer = client.post("/tokens/:reauth-in-project", json={"spec": {"project_id": id}})
        self.token = answer.json()["uuid"]
        client.close()

    def send(self, case: schemathesis.Case) -> schemathesis.Response:
        public = case.operation.label in ("POST /tokens/:login", "POST /rsa-keys")
        for _ in range(2):
            headers = {} if public else {"x-sddc-token": self.token}
            answer = case.call(base_url=self.server.url, session=self.session, headers=headers)
            if answer.status_code != 401 or public:
                return answer
            self._log_in()
        return answer


def _populate(client: Client) -> None:
    def make(plural: str, **spec: object) -> int:
        answer = client.post(f"/{plural}", json={"spec": spec})
        assert answer.status_code == 202, answer.text
        return answer.json()["metadata"]["id"]

    for number in range(POPULATION):
        centre = make("data-centers", name=f"centre {number}")
        room = make("rooms", name="room", data_center_id=centre)
        rack = make("racks", name="rack", room_id=room)
        make("chassises", name="chassis", rack_id=rack)
        key = make("label-keys", name=f"key {number}")
        make("label-values", name="value", label_key_id=key)
        switch = make("vsws", name=f"switch {number}")
        make("br-nets", name=f"network {number}", vsw_id=switch, vlan_id=number, cidr="10.1.2.0/24")
        make("users", name=f"user {number}", password="any password")
        make("projects", name=f"project {number}")


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzer]:
    environment = {"STRATAL_SIMULATE": "true"}
    with running_server(tmp_path_factory.mktemp("fuzz"), environment=environment) as server:
        made = Fuzzer(server)
        yield made
        made.session.close()
        made.client.close()
        unexpected = [line for line in server.log_lines() if line["event"] == "unexpected_error"]
        assert unexpected == []


@schema.parametrize()
@settings(
    max_examples=12,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_request_gets_a_documented_answer(case: schemathesis.Case, fuzzer: Fuzzer) -> None:
    if case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE:
        _steer(case.path_parameters)
    answer = fuzzer.send(case)
    if len(answer.request.url or "") > LONGEST_URL:  # refused by the HTTP parser, which knows no dialect
        assert answer.status_code == 400
        return
    case.validate_response(answer, checks=CHECKS)
    if answer.status_code >= 400 and answer.content:
        problem = answer.json()
        assert problem["message"]
        assert problem["details"]["request_id"] == answer.headers["x-request-id"][0]
        if answer.status_code == 400:
            assert problem["details"]["field"]


def _steer(parameters: dict[str, Any] | None) -> None:
    """Turn every second integer in a path into one that is likely to be the id of something."""
    for name, value in (parameters or {}).items():
        if isinstance(value, int) and not isinstance(value, bool) and value > POPULATION and value % 2 == 0:
            parameters[name] = value % (POPULATION + 2) + 1
