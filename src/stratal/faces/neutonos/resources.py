"""The endpoints of a service: list, show, create, update, delete and actions, from its declaration.

This is the one line per kind in this face: `*resource(service, tag)`.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from stratal.faces.neutonos.endpoint import Answer, Call, Endpoint, Run, reading, writing
from stratal.faces.neutonos.wire import item, item_list, item_type, list_type, page
from stratal.kernel.actions import Action, actions_of
from stratal.kernel.records import RecordService
from stratal.kernel.service import ResourceService
from stratal.kernel.transaction import Transaction


def resource(service: ResourceService[Any, Any], tag: str) -> list[Endpoint]:
    """Every endpoint that the service has."""
    kind = service.kind
    one = item_type(kind)
    collection, member = f"/{kind.plural}", f"/{kind.plural}/{{id}}"
    words = kind.name.replace("_", " ")

    def endpoint(method: str, path: str, verb: str, run: Run, **more: Any) -> Endpoint:
        more.setdefault("answer", one)
        return Endpoint(
            method=method,
            path=path,
            resource_type=kind.name,
            profile=kind.profile,
            verb=verb,
            tag=tag,
            run=run,
            **more,
        )

    def listing(transaction: Transaction, call: Call) -> Answer:
        wanted = call.list_request.page
        found = service.page(transaction, call.access, call.list_request)
        return item_list(kind, found, limit=wanted.limit, offset=wanted.offset)

    def show(transaction: Transaction, call: Call) -> Answer:
        return item(service.show(transaction, call.access, call.id))

    def delete(transaction: Transaction, call: Call) -> Answer:
        return item(service.delete(transaction, call.access, call.id, if_match=call.if_match))

    endpoints = [
        endpoint(
            "GET",
            collection,
            "list",
            reading(listing),
            summary=f"List {kind.plural}",
            answer=list_type(kind.type_name, one),
            lists=True,
        ),
        endpoint("GET", member, "show", reading(show, quick=True), summary=f"Show a {words}"),
    ]
    accepted: dict[str, Any] = {"status": HTTPStatus.ACCEPTED}
    if service.create_body is not None:
        endpoints += [
            endpoint(
                "POST",
                collection,
                "create",
                _creating(service),
                summary=f"Create a {words}",
                body=service.create_body,
                **accepted,
            ),
            endpoint(
                "DELETE",
                member,
                "delete",
                writing(delete),
                summary=f"Delete a {words}",
                conditional=True,
                **accepted,
            ),
        ]
    if service.update_body is not None:
        endpoints.append(
            endpoint(
                "PATCH",
                member,
                "update",
                _updating(service),
                summary=f"Update a {words}",
                body=service.update_body,
                conditional=True,
                **accepted,
            )
        )
    endpoints += [
        endpoint(
            "POST",
            f"{member}/:{action.verb}",
            action.verb,
            _acting(service, action),
            summary=action.summary,
            body=action.body,
            **accepted,
        )
        for action in actions_of(service)
    ]
    return endpoints


def record(service: RecordService[Any], tag: str) -> list[Endpoint]:
    """List and show of a kind of plain records."""
    kind = service.kind
    many = list_type(kind.type_name, kind.record)

    def listing(transaction: Transaction, call: Call) -> Answer:
        wanted = call.list_request.page
        found = service.page(transaction, call.access, call.list_request)
        return page(many, found.items, total=found.total_count, limit=wanted.limit, offset=wanted.offset)

    def show(transaction: Transaction, call: Call) -> Answer:
        return service.show(transaction, call.access, call.id)

    return [
        Endpoint(
            method="GET",
            path=f"/{kind.plural}",
            resource_type=kind.name,
            verb="list",
            summary=f"List {kind.plural}",
            tag=tag,
            run=reading(listing),
            answer=many,
            lists=True,
        ),
        Endpoint(
            method="GET",
            path=f"/{kind.plural}/{{id}}",
            resource_type=kind.name,
            verb="show",
            summary=f"Show one of {kind.plural}",
            tag=tag,
            run=reading(show, quick=True),
            answer=kind.record,
        ),
    ]


def _creating(service: ResourceService[Any, Any]) -> Run:
    async def run(call: Call) -> Answer:
        body = call.body
        if service.prepares:
            body = await asyncio.to_thread(service.prepare_create, call.access, body)
        return item(await call.database.write_async(lambda tx: service.create(tx, call.access, body)))

    return run


def _updating(service: ResourceService[Any, Any]) -> Run:
    async def run(call: Call) -> Answer:
        body = call.body
        if service.prepares:
            body = await asyncio.to_thread(service.prepare_update, call.access, call.id, body)

        def update(transaction: Transaction) -> Answer:
            return service.update(transaction, call.access, call.id, body, if_match=call.if_match)

        return item(await call.database.write_async(update))

    return run


def _acting(service: ResourceService[Any, Any], action: Action) -> Run:
    return writing(
        lambda transaction, call: item(action.run(service, transaction, call.access, call.id, call.body))
    )
