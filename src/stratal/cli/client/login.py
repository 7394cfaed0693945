"""Logging in and out. The password never travels in clear, whether or not the connection is encrypted."""

import base64
import getpass
import os
import sys
from dataclasses import replace
from pathlib import Path

from stratal.cli.client.connection import Connection
from stratal.cli.client.contexts import Context
from stratal.cli.client.errors import BadArgument, NotLoggedIn, Refused
from stratal.cli.client.kinds import JSON
from stratal.cli.client.session import id_of

PASSWORD_VARIABLE = "STRATAL_PASSWORD"  # noqa: S105  the name of a variable


def read_password(file: str | None, prompt: str) -> str:
    """The password: of a file (`-` for standard input), else of the environment, else of whoever is there.

    Not of the command line, which every user of the machine can read.
    """
    if file is not None:
        return _of_file(file)
    given = os.environ.get(PASSWORD_VARIABLE)
    if given:
        return given
    if not sys.stdin.isatty():
        raise BadArgument(
            reason="there is no password, and nobody to ask for it",
            remedy=f"Give --password-file, or set {PASSWORD_VARIABLE}.",
        )
    return getpass.getpass(f"{prompt}: ")


def new_password(file: str | None) -> str:
    """A password that is to be set; who types it types it twice."""
    password = read_password(file, "New password")
    asked = file is None and not os.environ.get(PASSWORD_VARIABLE)
    if asked and getpass.getpass("The same again: ") != password:
        raise BadArgument(reason="the two passwords differ")
    return password


def encrypted(connection: Connection, **passwords: str) -> JSON:
    """Fields of a body that hold these passwords, encrypted under a key of the server."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key: JSON = connection.send("POST", "/rsa-keys/", {})
    public = serialization.load_pem_public_key(str(key["public_key"]).encode())
    if not isinstance(public, rsa.RSAPublicKey):
        raise BadArgument(reason="the server's key is none that passwords can be encrypted with")
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    spec: JSON = {"rsa_key_id": key["id"]}
    for name, clear in passwords.items():
        try:
            spec[f"encrypted_{name}"] = base64.b64encode(public.encrypt(clear.encode(), oaep)).decode()
        except ValueError as error:
            raise BadArgument(reason="the password is too long") from error
    return spec


def console_password(connection: Connection, file: str | None) -> JSON:
    """Fields of a machine whose screen asks for a password."""
    spec = encrypted(connection, graphics_password=_of_file(file) if file else _asked("Console password"))
    return {"graphics_auth_enabled": True, **spec}


def _asked(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise BadArgument(reason="nobody is there to be asked for a password")
    return getpass.getpass(f"{prompt}: ")


def log_in(context: Context, password: str, project: str | None) -> Context:
    """The context with a token in it. Raises Refused, Unreachable."""
    with Connection(context) as connection:
        spec: JSON = {"name": context.user, **encrypted(connection, password=password)}
        token: JSON = connection.send("POST", "/tokens/:login", spec)
    logged_in = _with_token(context, token)
    return in_project(logged_in, project) if project else _with_project_name(logged_in)


def in_project(context: Context, project: str) -> Context:
    """The context with a token for another project, which is named or numbered."""
    with Connection(context) as connection:
        memberships = _memberships(connection, context.user_id)
        fitting = [
            each["project_id"]
            for each in memberships
            if project in (each["project_name"], str(each["project_id"]))
        ]
        if not fitting:
            known = ", ".join(sorted(str(each["project_name"]) for each in memberships)) or "none"
            raise BadArgument(reason=f"you are no member of a project {project}; yours are: {known}")
        token: JSON = connection.send("POST", "/tokens/:reauth-in-project", {"project_id": fitting[0]})
    return _with_project_name(_with_token(context, token))


def log_out(context: Context) -> None:
    """End the token at the server, if it has not ended yet."""
    try:
        with Connection(context) as connection:
            connection.send("POST", "/tokens/:logout", {})
    except NotLoggedIn:
        return
    except Refused as refused:
        if refused.status != 401:
            raise


def _with_token(context: Context, token: JSON) -> Context:
    return replace(
        context,
        token=str(token["uuid"]),
        expires=str(token["expires"]),
        user_id=id_of(token["user"]),
        project=str(token.get("project_id") or ""),
    )


def _with_project_name(context: Context) -> Context:
    with Connection(context) as connection:
        names = {
            str(each["project_id"]): str(each["project_name"])
            for each in _memberships(connection, context.user_id)
        }
    return replace(context, project=names.get(context.project, context.project))


def _memberships(connection: Connection, user_id: int) -> list[JSON]:
    try:
        return connection.get(f"/users/{user_id}/projects")["items"]
    except Refused as refused:
        # whoever must first choose a new password may not read that
        if refused.status in (403, 404, 409):
            return []
        raise


def _of_file(file: str) -> str:
    try:
        text = sys.stdin.readline() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadArgument(reason=f"{file} cannot be read: {error}") from None
    password = text.splitlines()[0] if text else ""
    if not password:
        raise BadArgument(reason=f"there is no password in {'standard input' if file == '-' else file}")
    return password
