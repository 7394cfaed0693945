"""Every endpoint of the reference's index is there, in each of the ways that clients write its path."""

import re
from collections.abc import Iterator

import httpx
import pytest
from neutonos_index import Indexed, indexed_endpoints, whole_index

from running_server import RunningServer, running_server

pytestmark = pytest.mark.xdist_group("index")

ENDPOINTS = indexed_endpoints()


def spellings(indexed: Indexed) -> list[str]:
    """The path with ids in it, in each form that is in use: see `stratal.faces.neutonos.paths`."""
    plain = indexed.route.replace("{id}", "7").replace("{project_id}", "8")
    forms = [plain]
    if "/:" in plain:
        forms.append(plain.replace("/:", ":"))
        forms.append(re.sub(r"/:([a-z-]+)", r"/{\1}", plain))
        forms.append(re.sub(r"/:([a-z-]+)", r"/%3A\1", plain))
    return [form + slash for form in forms for slash in ("", "/")]


CASES = [(indexed, path) for indexed in ENDPOINTS for path in spellings(indexed)]


@pytest.fixture(scope="module")
def routed(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, tuple[int, str | None]]]:
    """For each case the status of the answer, and the route that the server's log says it took."""
    with (
        running_server(
            tmp_path_factory.mktemp("index"), environment={"STRATAL_LOG__LEVEL": "debug"}
        ) as server,
        httpx.Client(base_url=server.url, follow_redirects=False) as client,
    ):
        statuses = {
            f"{number}": client.request(
                indexed.method, path, headers={"x-request-id": f"{number}"}
            ).status_code
            for number, (indexed, path) in enumerate(CASES)
        }
        yield _with_routes(server, statuses)


def _with_routes(server: RunningServer, statuses: dict[str, int]) -> dict[str, tuple[int, str | None]]:
    routes = {
        line["request_id"]: f"{line['method']} {line['route']}"
        for line in server.log_lines()
        if line["event"] == "request"
    }
    return {number: (status, routes.get(number)) for number, status in statuses.items()}


def test_the_index_has_136_endpoints_of_the_kinds_of_this_suite() -> None:
    assert len(ENDPOINTS) == 136
    assert len({indexed.key for indexed in ENDPOINTS}) == 136


@pytest.mark.parametrize(
    ("number", "indexed", "path"),
    [(f"{number}", *case) for number, case in enumerate(CASES)],
    ids=[f"{indexed.method} {path}" for indexed, path in CASES],
)
def test_every_spelling_of_an_indexed_path_reaches_its_endpoint(
    routed: dict[str, tuple[int, str | None]], number: str, indexed: Indexed, path: str
) -> None:
    status, route = routed[number]
    assert route == indexed.key
    assert not 300 <= status < 400
    # without a token: whoever routes to the right place asks for one, but for the two public endpoints
    public = {"POST /tokens/:login": 400, "POST /rsa-keys": 200}
    assert status == public.get(indexed.key, 401)


def test_the_copy_of_the_index_is_whole() -> None:
    assert len(whole_index()) == 209
