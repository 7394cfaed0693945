"""The endpoints of identity that are not those of a resource: tokens, keys, memberships, UI profiles."""

import asyncio
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec

from stratal.faces.neutonos.endpoint import Answer, Call, Endpoint, reading, writing
from stratal.faces.neutonos.resources import resource
from stratal.faces.neutonos.wire import item, item_type, list_type, page
from stratal.identity import (
    Identity,
    Login,
    Members,
    Membership,
    Reauth,
    RsaKey,
    Session,
    SetRole,
    VerifyPassword,
)
from stratal.kernel.access import Reach
from stratal.kernel.fields import ActionSpec
from stratal.kernel.transaction import Transaction

USERS = "User management"
ACCESS = "Access"


class NoArguments(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """Nothing is needed."""


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a password is the caller's own."""

    valid: bool


class UiProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What the console keeps for a user: free JSON."""

    profile: dict[str, Any]


class UiProfileUpdate(ActionSpec, kw_only=True, forbid_unknown_fields=True):
    """Keys to set; one set to null is removed."""

    profile: dict[str, Any]


def identity_endpoints(identity: Identity) -> list[Endpoint]:
    user_type = item_type(identity.users.kind)
    token_type = msgspec.defstruct(
        "Token",
        [
            ("uuid", str),
            ("expires", datetime),
            ("valid", bool),
            ("user", user_type),
            ("roles", list[str]),
            ("project_id", int | None, None),
        ],
        kw_only=True,
        frozen=True,
        omit_defaults=True,
    )
    members_type = list_type("Membership", Membership)

    def token(transaction: Transaction, session: Session, call: Call) -> Answer:
        everything = call.access.with_reach(Reach.ALL)
        return token_type(
            uuid=session.uuid,
            expires=session.expires,
            valid=True,
            user=item(identity.users.show(transaction, everything, session.user_id)),
            roles=session.roles,
            project_id=session.project_id,
        )

    async def log_in(call: Call) -> Answer:
        body: Login = call.body
        session = await asyncio.to_thread(identity.tokens.log_in, call.access, body)
        return await call.database.read_async(lambda tx: token(tx, session, call), quick=True)

    def log_out(transaction: Transaction, call: Call) -> None:
        identity.tokens.log_out(transaction, call.access, call.token)

    def reauthenticate(transaction: Transaction, call: Call) -> Answer:
        return token(
            transaction, identity.tokens.reauthenticate(transaction, call.access, call.token, call.body), call
        )

    async def mint_key(call: Call) -> Answer:
        return await asyncio.to_thread(identity.rsa_keys.mint)

    async def verify_password(call: Call) -> Answer:
        return Verified(valid=await asyncio.to_thread(identity.users.verify_password, call.access, call.body))

    def members(found: Members) -> Answer:
        count = len(found.items)
        return page(members_type, found.items, total=count, limit=count, offset=0)

    def users_of_project(transaction: Transaction, call: Call) -> Answer:
        return members(identity.projects.users(transaction, call.access, call.id))

    def projects_of_user(transaction: Transaction, call: Call) -> Answer:
        return members(identity.users.projects(transaction, call.access, call.id))

    def set_role(transaction: Transaction, call: Call) -> Answer:
        return item(
            identity.users.set_role(transaction, call.access, call.id, call.ids["project_id"], call.body)
        )

    def ui_profile(transaction: Transaction, call: Call) -> Answer:
        return UiProfile(profile=identity.users.ui_profile(transaction, call.access, call.id))

    def change_ui_profile(transaction: Transaction, call: Call) -> Answer:
        body: UiProfileUpdate = call.body
        return UiProfile(
            profile=identity.users.change_ui_profile(transaction, call.access, call.id, body.profile)
        )

    return [
        *resource(identity.users, USERS),
        *resource(identity.roles, USERS),
        *resource(identity.projects, USERS),
        Endpoint(
            method="POST",
            path="/tokens/:login",
            resource_type="token",
            verb="login",
            summary="Log in and get a token",
            tag=ACCESS,
            body=Login,
            answer=token_type,
            status=HTTPStatus.CREATED,
            run=log_in,
            public=True,
        ),
        Endpoint(
            method="POST",
            path="/tokens/:logout",
            resource_type="token",
            verb="logout",
            summary="End the token that this request comes with",
            tag=ACCESS,
            body=NoArguments,
            answer=None,
            status=HTTPStatus.NO_CONTENT,
            run=writing(log_out),
        ),
        Endpoint(
            method="POST",
            path="/tokens/:reauth-in-project",
            resource_type="token",
            verb="reauth-in-project",
            summary="Swap the token for one that is for another project",
            tag=ACCESS,
            body=Reauth,
            answer=token_type,
            status=HTTPStatus.CREATED,
            run=writing(reauthenticate),
        ),
        Endpoint(
            method="POST",
            path="/rsa-keys",
            resource_type="rsa_key",
            verb="create",
            summary="Get a public key to encrypt passwords with",
            tag="Encryption",
            body=NoArguments,
            answer=RsaKey,
            run=mint_key,
            public=True,
        ),
        Endpoint(
            method="POST",
            path="/users/:verify-password",
            resource_type="user",
            verb="verify-password",
            summary="Check one's own password once more",
            tag=USERS,
            body=VerifyPassword,
            answer=Verified,
            run=verify_password,
        ),
        Endpoint(
            method="GET",
            path="/users/{id}/:ui-profile",
            resource_type="user",
            verb="show-ui-profile",
            summary="Show what the console keeps for a user",
            tag=USERS,
            answer=UiProfile,
            run=reading(ui_profile, quick=True),
        ),
        Endpoint(
            method="PATCH",
            path="/users/{id}/:ui-profile",
            resource_type="user",
            verb="update-ui-profile",
            summary="Change what the console keeps for a user",
            tag=USERS,
            body=UiProfileUpdate,
            answer=UiProfile,
            status=HTTPStatus.ACCEPTED,
            run=writing(change_ui_profile),
        ),
        Endpoint(
            method="GET",
            path="/users/{id}/projects",
            resource_type="user",
            verb="list-projects",
            summary="List the projects of a user, with the role in each",
            tag=USERS,
            answer=members_type,
            run=reading(projects_of_user),
        ),
        Endpoint(
            method="POST",
            path="/users/{id}/projects/{project_id}/:set-role",
            resource_type="user",
            verb="set-role",
            summary="Give a member of a project another role there",
            tag=USERS,
            body=SetRole,
            answer=user_type,
            status=HTTPStatus.ACCEPTED,
            run=writing(set_role),
        ),
        Endpoint(
            method="GET",
            path="/projects/{id}/users",
            resource_type="project",
            verb="list-users",
            summary="List the members of a project, with the role of each",
            tag=USERS,
            answer=members_type,
            run=reading(users_of_project),
        ),
    ]
