"""Who is asking: by a token, or by a signature with an access key. Called by `dispatch`."""

from collections.abc import Mapping

from stratal.faces.evs import signing
from stratal.faces.evs.faults import Fault
from stratal.faces.evs.services import Services
from stratal.identity.project.model import PROJECT
from stratal.kernel.access import Access
from stratal.kernel.errors import Unauthenticated
from stratal.kernel.transaction import Transaction
from stratal.kernel.uuids import canonical_uuid, id_of_uuid, uuids_of

TOKEN_HEADER = "x-auth-token"  # noqa: S105  the name of a header
_REFUSED = "The request you have made requires authentication."


class Authentication:
    """Finds out who sent a request. Raises a 401 in the dialect of whoever asks."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def by_token(
        self, transaction: Transaction, token: str, *, base: str, client_ip: str, request_id: str
    ) -> Access:
        try:
            access, must_change = self._services.identity.tokens.authenticate(
                transaction, token, client_ip=client_ip, request_id=request_id
            )
        except Unauthenticated:
            raise unauthenticated(base) from None
        if must_change:
            raise Fault(401, "The password is expired and needs to be changed for this user.")
        return access

    def by_signature(
        self,
        transaction: Transaction,
        request: signing.SignedRequest,
        *,
        project: str | None,
        client_ip: str,
        request_id: str,
    ) -> Access:
        """The caller in the project that the path or the header X-Project-Id names, which must agree."""
        identity = self._services.identity
        try:
            signature = signing.parse(request.headers["authorization"])
            found = identity.access_keys.secret_of(transaction, signature.access)
            # an unknown key takes as long as a wrong signature
            user_id, secret = found or (0, "")
            signing.check(request, signature, secret, now=transaction.now)
            if found is None:
                raise signing.BadSignature("verify aksk signature fail")
        except signing.BadSignature as error:
            raise Fault(
                401, f"Incorrect IAM authentication information: {error}", code="APIGW.0301"
            ) from None
        named = request.headers.get("x-project-id") or project
        if project is not None and named is not None and canonical_uuid(named) != canonical_uuid(project):
            raise Fault(400, "The project of the path is not that of X-Project-Id.", code="EVS.0001")
        project_id = id_of_uuid(transaction, PROJECT, named) if named else None
        if named and project_id is None:
            raise Fault(400, "There is no such project that you may enter.", code="EVS.0001")
        try:
            access, must_change = identity.tokens.caller(
                transaction, user_id, project_id, client_ip=client_ip, request_id=request_id
            )
        except Unauthenticated as error:
            raise Fault(401, error.message, code="APIGW.0301") from None
        if must_change:
            raise Fault(401, "The password of this user must be changed first.", code="APIGW.0301")
        return access

    def use_up(self, transaction: Transaction, request: signing.SignedRequest) -> None:
        """Let a signature that was found good be good no more. Raises the 401 of one that was used before."""
        signature = signing.parse(request.headers["authorization"])
        until = signing.expiry(request.headers["x-sdk-date"])
        used = self._services.identity.used_signatures
        if not used.use(transaction, signature.access, signature.digest, until=until):
            raise Fault(
                401,
                "Incorrect IAM authentication information: this signature was used for a change already; "
                "sign again in another second, or let the requests differ",
                code="APIGW.0301",
            )

    def check_project(self, transaction: Transaction, access: Access, project: str) -> None:
        """The project in a path is that of the token; real Cinder answers the same for all others."""
        own = uuids_of(transaction, PROJECT, [access.project_id])
        if canonical_uuid(project) not in own.values():
            raise Fault(400, "Malformed request url", code="EVS.0001")


def unauthenticated(base: str = "") -> Fault:
    """The answer to a request without a valid token."""
    return Fault(401, _REFUSED, headers={"www-authenticate": f'Keystone uri="{base}/identity/v3"'})


def is_repeatable(request: signing.SignedRequest) -> bool:
    """Whether the request is named by a client token that is signed, so that a repetition is known as one."""
    name = "x-client-token"
    return name in request.headers and name in signing.parse(request.headers["authorization"]).headers


def is_signed(headers: Mapping[str, str]) -> bool:
    return headers.get("authorization", "").startswith(signing.ALGORITHM)
