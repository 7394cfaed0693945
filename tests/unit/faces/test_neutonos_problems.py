"""Every typed error has its status, and its words reach the client."""

import importlib
import pkgutil
import string

import pytest

import stratal
from stratal.faces.neutonos.problems import STATUS, problem_of, status_of
from stratal.kernel.errors import Conflict, Invalid, NotFound, StratalError, Unauthenticated


def _every_error() -> list[type[StratalError]]:
    for module in pkgutil.walk_packages(stratal.__path__, "stratal."):
        if not module.name.startswith(
            ("stratal.__main__", "stratal.migrations.env", "stratal.migrations.versions")
        ):
            importlib.import_module(module.name)
    found: list[type[StratalError]] = []
    pending = [StratalError]
    while pending:
        for each in pending.pop().__subclasses__():
            found.append(each)
            pending.append(each)
    return [each for each in found if each.__module__.startswith("stratal.")]


@pytest.mark.parametrize("error", _every_error(), ids=lambda each: each.__name__)
def test_every_error_has_a_code_of_its_own_words(error: type[StratalError]) -> None:
    assert error.code != StratalError.code
    assert error.code == error.code.lower()
    assert " " not in error.code


def test_the_table_gives_every_class_its_status() -> None:
    for error, status in STATUS.items():
        assert 400 <= status <= 503
        assert status_of(error(**dict.fromkeys(_names(error), "x"))) is status


def test_a_kind_of_an_error_has_the_status_of_its_kind() -> None:
    class Busy(Conflict):
        code = "busy"

    assert status_of(Busy(reason="x")) == 409


def test_a_problem_says_what_where_and_what_to_do() -> None:
    problem = problem_of(Invalid(field="spec.name", reason="is empty"), "r-1")
    assert problem.message == "spec.name: is empty"
    assert problem.code == "invalid"
    assert problem.details.field == "spec.name"
    assert problem.details.request_id == "r-1"
    assert problem.details.remedy
    assert problem_of(NotFound(kind="user", id=7), "r-2").message == "there is no user 7"
    assert problem_of(Unauthenticated(reason="no"), "r-3").details.field is None


def _names(error: type[StratalError]) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(error.template) if name]
