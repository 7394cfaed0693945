"""Virtual machines at the command line, on simulated hypervisors: the whole story of one, and its tree."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import CommandLine
from running_server import running_server

pytestmark = pytest.mark.xdist_group("command line of machines")


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """Logged in to a server with a network `lan` and an image `disk`."""
    home = tmp_path_factory.mktemp("home")
    with running_server(home / "server", environment={"STRATAL_SIMULATE": "true"}) as server:
        found = CommandLine(home, STRATAL_WAIT="1")
        found("login", server.url, STRATAL_PASSWORD=server.password)
        found("network", "create", "lan", "vsw=system", "vlan_id=7")
        (home / "disk.raw").write_bytes(b"disk" * 2**18)
        found("image", "upload", str(home / "disk.raw"))
        yield found


def _branches(tree: str) -> list[tuple[int, str]]:
    """Each line of a tree: how deep it stands, and what is there."""
    return [
        (len(line) - len(line.lstrip(" │├└─")), line.lstrip(" │├└─").rpartition(" (")[0])
        for line in tree.splitlines()
    ]


def test_the_story_of_a_machine(cli: CommandLine) -> None:
    cli("vm", "create", "web", "--cpus", "2", "--memory", "1G", "--image", "disk", "--network", "lan")
    row = cli("vm", "list", "-q", "spec.name:web").rows()[0]
    assert (row["POWER"], row["CPUS"], row["MEMORY"], row["DISKS"]) == ("running", "2", "1 GiB", "1")
    assert cli("vm", "console-info", "web").out.startswith("vnc       vnc://")
    cli("vm", "snapshot", "create", "web", "good", "--quiesce")
    cli("vm", "snapshot", "create", "web", "bad")
    cli("vm", "stop", "web")
    cli("vm", "console-info", "web", code=2)
    cli("vm", "rollback", "web", "good", "--yes")
    cli("vm", "clone", "linked", "--snapshot", "good", "--no-start")
    cli("vm", "clone", "flat", "--snapshot", "good", "--flatten", "--start")
    cli("vm", "flatten", "linked")
    assert cli.json("vm", "show", "linked")["spec"]["flattened"]
    cli("image", "create-from-snapshot", "template", "--vm-snapshot", "good")
    cli("vm", "create", "templated", "--memory", "512M", "--image", "template", "--no-start")
    cli("vm", "snapshot", "rename", "good", "best")
    cli("vm", "snapshot", "delete", "bad", "--yes")
    assert [row["NAME"] for row in cli("vm", "snapshot", "list", "web").rows()] == ["best"]
    cli("vm", "start", "web", "linked")
    cli("vm", "reboot", "web", "--force")
    cli("vm", "stop", "web", "linked", "flat", "--force")
    cli("vm", "delete", "linked", "flat", "templated", "--yes")
    cli("vm", "snapshot", "delete", "best", "--yes")
    cli("vm", "delete", "web", "--yes")
    cli("image", "delete", "template", "--yes")
    assert cli.json("vm", "list") == []
    assert cli.json("volume", "list") == []
    assert {row["STAGE"] for row in cli("job", "list").rows()} == {"finished"}


def test_a_machine_goes_on_from_memory_or_back_to_its_disks_alone(cli: CommandLine) -> None:
    cli("vm", "create", "kept", "--memory", "64M", "--disk", "64M")
    cli("vm", "snapshot", "create", "kept", "instant", "--memory")
    cli("vm", "rollback", "kept", "instant", "--yes")
    assert cli("vm", "list", "-q", "spec.name:kept").rows()[0]["POWER"] == "running"
    refused = cli("vm", "rollback", "kept", "instant", "--without-memory", "--yes", code=5)
    assert "must be stopped" in refused.err
    cli("vm", "stop", "kept", "--force")
    cli("vm", "rollback", "kept", "instant", "--without-memory", "--yes")
    assert cli("vm", "list", "-q", "spec.name:kept").rows()[0]["POWER"] == "stopped"
    cli("vm", "delete", "kept", "--yes")


def test_the_tree_shows_where_a_machine_stands_and_what_was_cloned(cli: CommandLine) -> None:
    cli("vm", "create", "tree", "--memory", "64M", "--disk", "64M", "--no-start")
    cli("vm", "snapshot", "create", "tree", "one")
    cli("vm", "snapshot", "create", "tree", "two")
    cli("vm", "clone", "branch", "--snapshot", "one", "--no-start")
    tree = cli("vm", "tree", "tree").out
    assert sorted(_branches(tree)) == sorted(
        [
            (0, "◆ snap one"),
            (4, "◆ snap two"),
            (8, "● virtual machine tree"),
            (4, "● virtual machine branch"),
        ]
    )
    assert [line for line in tree.splitlines() if line.endswith("← now")] == [
        line for line in tree.splitlines() if "virtual machine tree" in line
    ]
    assert cli("vm", "snapshot", "tree", "tree").out == tree
    names = [name["name"] for node in cli.json("vm", "tree", "tree") for name in node["names"]]
    assert sorted(names) == ["branch", "one", "tree", "two"]
    cli("vm", "delete", "branch", "--yes")
    cli("vm", "snapshot", "delete", "one", "two", "--yes")
    cli("vm", "delete", "tree", "--yes")


def test_parts_come_and_go_and_are_named_after_their_machine(cli: CommandLine) -> None:
    cli("volume", "create", "loose", "--size", "64M")
    cli("vm", "create", "parts", "--memory", "64M", "--disk", "volume:loose", "--no-start")
    cli("disk", "create", "parts", "--size", "128M")
    cli("nic", "create", "parts", "--network", "lan")
    cli("cdrom", "create", "parts", "--name", "tray")
    disks = cli("disk", "list").rows()
    assert [(row["VM"], row["VOLUME"], row["SIZE"]) for row in disks] == [
        ("parts", "loose", "64 MiB"),
        ("parts", disks[1]["VOLUME"], "128 MiB"),
    ]
    assert cli("nic", "list").rows()[0]["NETWORK"] == "lan"
    cli("cdrom", "eject", "tray")
    cli("nic", "update", "parts-nic-1", "link_up=no")
    assert cli.json("nic", "show", "parts-nic-1")["spec"]["link_up"] is False
    cli("disk", "delete", disks[0]["NAME"], "--yes")
    cli("vm", "delete", "parts", "--yes")
    assert cli.json("volume", "show", "loose")["spec"]["name"] == "loose"
    cli("volume", "delete", "loose", "--yes")


def test_a_change_that_waits_for_the_next_boot_is_said_to_be_later(cli: CommandLine) -> None:
    cli("vm", "create", "later", "--memory", "64M")
    said = cli("vm", "update", "later", "memory_mb=128M")
    assert "(later: memory_mb)" in said.out
    cli("vm", "delete", "later", "--yes")


def test_a_console_password_is_on_no_command_line_and_in_no_answer(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hushhush\n")
    made = cli.json(
        "vm", "create", "quiet", "--memory", "64M", "--console-password-file", str(tmp_path / "password")
    )
    assert made["spec"]["graphics_auth_enabled"]
    assert "hushhush" not in str(made) + str(cli.json("vm", "show", "quiet"))
    assert cli.json("vm", "console-info", "quiet")["password"] is True
    cli("act", "vm", "verify-gpasswd", "quiet", f"password=@{tmp_path / 'password'}")
    cli("vm", "set-console-password", "quiet", "--password-file", "-", typed="other\n", code=0)
    cli("act", "vm", "verify-gpasswd", "quiet", f"password=@{tmp_path / 'password'}", code=2)
    cli("vm", "stop", "quiet", "--force")
    cli("vm", "delete", "quiet", "--yes")
