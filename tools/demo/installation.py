"""Chapters about the installation itself: its first start, who uses it, what it knows, and its trail."""

from stage import Stage, prove, table


def first_start(stage: Stage) -> None:
    stage.prepare()
    stage.start()
    prove(stage.password, "the first start made an administrator and showed the password once")
    stage.command("stratal", "login", stage.address, STRATAL_PASSWORD=stage.password)
    token = stage.call("POST", "/tokens/:login", {"name": "admin", "password": stage.password})
    stage.http.headers["x-sddc-token"] = token["uuid"]
    prove("system_admin" in token["roles"], f"logged in as {token['user']['spec']['name']}, {token['roles']}")


def people_and_places(stage: Stage) -> None:
    project = stage.create("projects", name="web", description="The web team", cpu_quota=16)
    user = stage.create("users", name="ada", password="correct horse battery")
    roles = stage.call("GET", "/roles/", q="spec.name:project_member")
    member = {"user_id": user, "role_id": roles["items"][0]["metadata"]["id"]}
    stage.call("POST", f"/projects/{project}/:add-user", member)
    members = stage.call("GET", f"/projects/{project}/users")
    prove(members["items"][0]["user_name"] == "ada", "ada is a member of the project web")
    data_center = stage.create("data-centers", name="north")
    for name in ("hall-1", "hall-2", "hall-3"):
        stage.create("rooms", name=name, data_center_id=data_center)
    stage.settled("data-centers", data_center, lambda found: found["status"]["child_num"] == 3)
    wanted = 'spec.name:~"hall-[12]" AND metadata.state.state:active'
    found = stage.call("GET", "/rooms/", q=wanted, sort="spec.name:desc")
    names = [item["spec"]["name"] for item in found["items"]]
    prove(names == ["hall-2", "hall-1"], f"q and sort gave {names}")


def audit(stage: Stage) -> None:
    mine = stage.call("GET", "/audit-logs/", q="user_name:admin AND action:create", sort="id:desc", limit="5")
    table(
        ("when", "who", "did", "what", "status"),
        [
            (
                row["started_at"][11:19],
                row["user_name"],
                row["action"],
                f"{row['resource_type']} {row.get('resource_name', row.get('resource_id', ''))}",
                row["status"],
            )
            for row in mine["items"]
        ],
    )
    unfinished = stage.call("GET", "/audit-logs/", q="status:running")["items"]
    prove(not unfinished, "the audit trail has it all, and nothing in it is unfinished")
