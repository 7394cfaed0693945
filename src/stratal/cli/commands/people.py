"""Users and projects, and who is a member of which."""

from typing import Annotated

import typer

from stratal.cli.commands.noun import noun
from stratal.cli.options import Description, Json, Timeout, WaitFlag, Yes, confirm, names, wait_of

USERS, PROJECTS, ROLES = "users", "projects", "roles"

users = noun(
    USERS,
    "user",
    (
        ("ROLE=spec.role_id", ROLES),
        "ENABLED=spec.enabled",
        "MAY LOG IN=spec.login_allowed",
        "PROJECTS=status.project_num",
        "LAST LOGIN=status.last_login_at",
    ),
    ("list", "show", "update", "delete"),
)
projects = noun(
    PROJECTS,
    "project",
    (
        "ENABLED=spec.enabled",
        "USERS=status.user_num",
        "VMS=status.vm_num",
        "CPU=status.used_cpu",
        "MEMORY=status.used_memory_mb",
        "STORAGE=status.used_storage_mb",
    ),
)

User = Annotated[str, typer.Argument(metavar="USER", autocompletion=names(USERS))]
Project = Annotated[str, typer.Argument(metavar="PROJECT", autocompletion=names(PROJECTS))]
Role = Annotated[
    str,
    typer.Option(help="project_admin, project_member or observer.", autocompletion=names(ROLES)),
]
PasswordFile = Annotated[
    str | None,
    typer.Option(help="File with the password; - for standard input. Else: STRATAL_PASSWORD, or a question."),
]


@users.command("create")
def create(
    name: str,
    password_file: PasswordFile = None,
    role: Annotated[
        str | None,
        typer.Option(help="system_admin, security_admin or auditor.", autocompletion=names(ROLES)),
    ] = None,
    email: Annotated[str, typer.Option()] = "",
    must_change: Annotated[
        bool, typer.Option(help="They must choose a password of their own first.")
    ] = False,
    description: Description = "",
    wait: WaitFlag = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Create a user."""
    from stratal.cli.client import verbs
    from stratal.cli.client.kinds import JSON
    from stratal.cli.client.login import encrypted, new_password
    from stratal.cli.client.session import Session

    with Session() as session:
        spec: JSON = {"name": name, "description": description, "email": email}
        spec["force_password_change"] = must_change
        if role:
            spec["role_id"] = session.find(ROLES, role)
        spec |= encrypted(session.connection, password=new_password(password_file))
        verbs.create(session, USERS, spec, wait_of(wait, timeout), json=json)


@users.command("set-password")
def set_password(user: User, password_file: PasswordFile = None) -> None:
    """Give a user another password. For one's own: stratal password."""
    from stratal.cli.client import output
    from stratal.cli.client.login import encrypted, new_password
    from stratal.cli.client.session import Session

    with Session() as session:
        id = session.find(USERS, user)
        spec = encrypted(session.connection, password=new_password(password_file))
        session.connection.send("PATCH", f"/{USERS}/{id}", spec)
    output.say(f"The password of {user} is changed.")


@users.command("unlock")
def unlock(user: User, json: Json = False) -> None:
    """Let a user log in again after too many failures."""
    _allow(user, True, json)


@users.command("lock")
def lock(user: User, yes: Yes = False, json: Json = False) -> None:
    """Do not let a user log in any more."""
    confirm(f"Lock {user} out?", yes)
    _allow(user, False, json)


@users.command("projects")
def show_projects(user: User, json: Json = False) -> None:
    """List the projects of a user, with the role in each."""
    _memberships(USERS, user, "projects", json)


@projects.command("users")
def show_users(project: Project, json: Json = False) -> None:
    """List the members of a project, with the role of each."""
    _memberships(PROJECTS, project, "users", json)


@projects.command("add-user")
def add_user(project: Project, user: User, role: Role = "project_member", json: Json = False) -> None:
    """Make a user a member of a project, or give a member another role."""
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        id = session.find(PROJECTS, project)
        spec = {"user_id": session.find(USERS, user), "role_id": session.find(ROLES, role)}
        verbs.act(session, PROJECTS, id, "add-user", spec, wait_of(None, None), json=json)


@projects.command("remove-user")
def remove_user(project: Project, user: User, yes: Yes = False, json: Json = False) -> None:
    """Take a member out of a project."""
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        id, member = session.find(PROJECTS, project), session.find(USERS, user)
        confirm(f"Take {user} out of {project}?", yes)
        spec = {"user_id": member}
        verbs.act(session, PROJECTS, id, "remove-user", spec, wait_of(None, None), json=json)


def _allow(user: str, allowed: bool, json: bool) -> None:
    from stratal.cli.client import verbs
    from stratal.cli.client.session import Session

    with Session() as session:
        id = session.find(USERS, user)
        spec = {"allowed": allowed}
        verbs.act(session, USERS, id, "allow-login", spec, wait_of(None, None), json=json)


def _memberships(plural: str, text: str, others: str, json: bool) -> None:
    from stratal.cli.client import output
    from stratal.cli.client.session import Session

    with Session() as session:
        found = session.connection.get(f"/{plural}/{session.find(plural, text)}/{others}")["items"]
    if json:
        output.print_json(found)
        return
    one = others.removesuffix("s")
    rows = [[str(each[f"{one}_id"]), str(each[f"{one}_name"]), str(each["role_name"])] for each in found]
    output.print_rows(("ID", "NAME", "ROLE"), rows)
