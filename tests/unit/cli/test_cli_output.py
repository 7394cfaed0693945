"""What people read."""

import pytest

from stratal.cli.client import output
from stratal.cli.client.errors import Refused, as_json, exit_code_of
from stratal.kernel.errors import Conflict

ITEM = {
    "metadata": {
        "id": 7,
        "name": "data",
        "labels": [],
        "state": {
            "state": "reconciling",
            "diff_fields": {"reconciling": ["size_mb"], "irreconcilable": ["cpu_num"]},
        },
    },
    "spec": {"id": 7, "name": "data", "etag": "x", "description": "a\x1b[31mb", "size_mb": 2048},
    "status": {"id": 7, "size_mb": 1024, "bs_snap_num": 0, "problem": None},
}


def test_details_say_what_is_not_yet_as_it_shall_be(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_details(ITEM)
    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    shown = {name.strip(): text.strip() for name, text in lines.items()}
    assert shown["state"] == "reconciling (not yet: size_mb) (later: cpu_num)"
    assert shown["size_mb"] == "2 GiB"
    assert shown["size_mb, now"] == "1 GiB"
    assert shown["problem"] == "-"


def test_of_what_is_being_created_it_is_not_said_that_all_of_it_is_to_come() -> None:
    state = {"state": "creating", "diff_fields": {"reconciling": ["size_mb"], "irreconcilable": []}}
    assert output.state_of({"metadata": {"state": state}}) == "creating"


def test_control_characters_of_a_description_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.print_details(ITEM)
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("size_mb", 10240, "10 GiB"),
        ("used_byte", 512, "512 B"),
        ("shared", True, "yes"),
        ("addresses", ["10.0.0.1", "10.0.0.2"], "10.0.0.1, 10.0.0.2"),
        ("addresses", [], "-"),
        ("deleted_at", {"Time": "0001-01-01T00:00:00Z", "Valid": False}, "-"),
        ("data", {"a": 1}, '{"a": 1}'),
        ("created_at", "not a time", "not a time"),
    ],
)
def test_a_value_is_shown_as_its_field_means_it(name: str, value: object, text: str) -> None:
    assert output.shown(name, value) == text


def test_a_table_that_is_no_terminals_is_neither_cut_nor_coloured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "x" * 500
    output.print_rows(("ID", "NAME"), [("1", long), ("22", "b")])
    assert capsys.readouterr().out == f"ID  NAME\n1   {long}\n22  b\n"


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 2), (401, 3), (403, 3), (404, 4), (409, 5), (412, 5), (500, 1), (503, 6)],
)
def test_each_refusal_has_its_exit_code(status: int, code: int) -> None:
    assert exit_code_of(Refused(status=status, body=None)) == code


def test_a_refusal_keeps_the_problem_of_the_api_and_shows_its_remedy() -> None:
    problem = {"message": "no {braces}", "code": "conflict", "details": {"remedy": "wait", "request_id": "r"}}
    refused = Refused(status=409, body=problem)
    assert (refused.message, refused.advice) == ("no {braces}", "wait")
    assert as_json(refused) == problem


def test_an_answer_that_is_no_problem_is_still_an_error_that_can_be_read() -> None:
    for body in (None, [], "<html>", {"details": None}):
        assert Refused(status=502, body=body).message == "the server answered 502"


def test_an_error_of_the_server_side_has_the_same_shape_as_json() -> None:
    error = as_json(Conflict(reason="busy"))
    assert error["message"] == "busy"
    assert error["code"] == "conflict"
    assert error["details"] == {"remedy": Conflict.remedy}
