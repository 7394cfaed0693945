"""Who may do what, written down once more and independently of `stratal.identity.policy`.

The rules that the table is made of, in words:

- system administrators do everything, everywhere;
- security administrators manage users and memberships, and see audit logs, infrastructure, settings and
  projects, but nothing that tenants work with, and no events;
- auditors see everything and change nothing;
- project administrators, members and observers see what their project has, and who is in it; the first two
  change it; administrators also change the members' roles, remove members, and read the audit log;
- a user without any role sees catalogues and themselves;
- everybody may look after themselves;
- whoever has no token gets in nowhere but at the login and at the keys for it;
- what a caller must not see answers as what does not exist, 404; what a role may not do at all is 403.
"""

from dataclasses import dataclass
from enum import StrEnum


class Caller(StrEnum):
    SYSTEM = "system_admin"
    SECURITY = "security_admin"
    AUDITOR = "auditor"
    ADMIN = "project_admin"
    MEMBER = "project_member"
    OBSERVER = "observer"
    NOBODY = "user without a role"
    ANONYMOUS = "no token"


class Target(StrEnum):
    """What a request is about, as the caller in project A sees it."""

    #: a thing of the whole installation, or no thing at all
    COMMON = "common"
    #: of project A; for users: the caller in person
    OWN = "own"
    #: for users: a member of project A
    FELLOW = "fellow"
    #: of project B
    FOREIGN = "foreign"


@dataclass(frozen=True)
class Rule:
    endpoint: str
    target: Target
    #: the status that each caller gets, in the order of `Caller`
    statuses: tuple[int, ...]

    def expected(self, caller: Caller) -> int:
        return self.statuses[list(Caller).index(caller)]


def _rules() -> list[Rule]:
    rules: list[Rule] = []

    def add(endpoint: str, target: Target, *statuses: int) -> None:
        assert len(statuses) == len(Caller)
        rules.append(Rule(endpoint, target, statuses))

    common, own, fellow, foreign = Target

    for plural in ("data-centers", "rooms", "racks", "chassises", "nodes"):
        add(f"GET /{plural}", common, 200, 200, 200, 403, 403, 403, 403, 401)
        add(f"GET /{plural}/{{id}}", common, 200, 200, 200, 403, 403, 403, 403, 401)
        add(f"PATCH /{plural}/{{id}}", common, 202, 403, 403, 403, 403, 403, 403, 401)
        if plural != "nodes":
            add(f"POST /{plural}", common, 202, 403, 403, 403, 403, 403, 403, 401)
            add(f"DELETE /{plural}/{{id}}", common, 202, 403, 403, 403, 403, 403, 403, 401)
    # an empty chassis has no node that could be moved: 400 is how far a permitted call gets
    add("POST /chassises/{id}/:switch-chassis", common, 400, 403, 403, 403, 403, 403, 403, 401)

    for path in ("/roles", "/roles/{id}", "/version", "/license-summary"):
        add(f"GET {path}", common, 200, 200, 200, 200, 200, 200, 200, 401)
    for path in (
        "/os-releases",
        "/os-releases/{id}",
        "/bs-policies",
        "/bs-policies/summary",
        "/bs-policies/{id}",
    ):
        add(f"GET {path}", common, 200, 200, 200, 200, 200, 200, 200, 401)
    for endpoint in ("POST /bs-policies", "PATCH /bs-policies/{id}", "DELETE /bs-policies/{id}"):
        add(endpoint, common, 202, 403, 403, 403, 403, 403, 403, 401)
    for plural in ("nics", "bridges", "br-net-nss", "l3-nets"):
        add(f"GET /{plural}", common, 200, 200, 200, 403, 403, 403, 403, 401)
        add(f"GET /{plural}/{{id}}", common, 200, 200, 200, 403, 403, 403, 403, 401)
    # whoever makes a network names a switch
    for path in ("/vsws", "/vsws/{id}"):
        add(f"GET {path}", common, 200, 200, 200, 200, 200, 200, 200, 401)
    for endpoint in (
        "POST /vsws",
        "PATCH /vsws/{id}",
        "DELETE /vsws/{id}",
        "POST /vsws/{id}/:attach-nics",
    ):
        add(endpoint, common, 202, 403, 403, 403, 403, 403, 403, 401)
    # 400: the card is in no switch
    add("POST /vsws/{id}/:detach-nics", common, 400, 403, 403, 403, 403, 403, 403, 401)

    add("GET /settings", common, 200, 200, 200, 403, 403, 403, 403, 401)
    add("PATCH /settings", common, 202, 403, 403, 403, 403, 403, 403, 401)

    for plural in ("label-keys", "label-values", "bs-volumes", "bs-snaps", "vm-images", "br-nets"):
        add(f"GET /{plural}", common, 200, 403, 200, 200, 200, 200, 403, 401)
        add(f"POST /{plural}", own, 202, 403, 403, 202, 202, 403, 403, 401)
        add(f"GET /{plural}/{{id}}", own, 200, 403, 200, 200, 200, 200, 403, 401)
        add(f"GET /{plural}/{{id}}", foreign, 200, 403, 200, 404, 404, 404, 403, 401)
        add(f"DELETE /{plural}/{{id}}", own, 202, 403, 403, 202, 202, 403, 403, 401)
        add(f"DELETE /{plural}/{{id}}", foreign, 202, 403, 403, 404, 404, 403, 403, 401)
    # a value goes under a key of the token's own project, whoever asks
    add("POST /label-values", foreign, 400, 403, 403, 400, 400, 403, 403, 401)
    for verb in ("attach", "detach"):
        add(f"POST /label-values/{{id}}/:{verb}", own, 202, 403, 403, 202, 202, 403, 403, 401)
        add(f"POST /label-values/{{id}}/:{verb}", foreign, 202, 403, 403, 404, 404, 403, 403, 401)

    for endpoint in (
        "PATCH /bs-volumes/{id}",
        "POST /bs-volumes/{id}/:flatten",
        "POST /bs-volumes/{id}/:rollback",
        "PATCH /bs-snaps/{id}",
        "PATCH /vm-images/{id}",
        "PATCH /br-nets/{id}",
        "POST /vm-images/{id}/:upload",
    ):
        add(endpoint, own, 202, 403, 403, 202, 202, 403, 403, 401)
        add(endpoint, foreign, 202, 403, 403, 404, 404, 403, 403, 401)
    add("GET /bs-volumes/{id}/tree", own, 200, 403, 200, 200, 200, 200, 403, 401)
    add("GET /bs-volumes/{id}/tree", foreign, 200, 403, 200, 404, 404, 404, 403, 401)
    # 409: nothing was uploaded yet. Auditors and observers see an image, and not what is in it
    add("GET /vm-images/{id}/download", own, 409, 403, 403, 409, 409, 403, 403, 401)
    add("GET /vm-images/{id}/download", foreign, 409, 403, 403, 404, 404, 403, 403, 401)
    # 400: a snapshot is named in the body
    add("POST /bs-snaps", foreign, 202, 403, 403, 400, 400, 403, 403, 401)
    add("POST /bs-volumes/:clone", own, 202, 403, 403, 202, 202, 403, 403, 401)
    add("POST /bs-volumes/:clone", foreign, 202, 403, 403, 400, 400, 403, 403, 401)

    # what belongs to machines, and what becomes of them
    parts = ("vm-disks", "vm-nics", "vm-cd-roms", "vm-snaps", "vm-scheduling-rules")
    for plural in ("virtual-machines", *parts):
        add(f"GET /{plural}", common, 200, 403, 200, 200, 200, 200, 403, 401)
        add(f"POST /{plural}", own, 202, 403, 403, 202, 202, 403, 403, 401)
        add(f"GET /{plural}/{{id}}", own, 200, 403, 200, 200, 200, 200, 403, 401)
        add(f"GET /{plural}/{{id}}", foreign, 200, 403, 200, 404, 404, 404, 403, 401)
        add(f"DELETE /{plural}/{{id}}", own, 202, 403, 403, 202, 202, 403, 403, 401)
        add(f"DELETE /{plural}/{{id}}", foreign, 202, 403, 403, 404, 404, 403, 403, 401)
        if plural != "vm-scheduling-rules":
            add(f"PATCH /{plural}/{{id}}", own, 202, 403, 403, 202, 202, 403, 403, 401)
            add(f"PATCH /{plural}/{{id}}", foreign, 202, 403, 403, 404, 404, 403, 403, 401)
    add("GET /vm-snaps/{id}/memory", own, 200, 403, 200, 200, 200, 200, 403, 401)
    add("GET /vm-snaps/{id}/memory", foreign, 200, 403, 200, 404, 404, 404, 403, 401)
    for plural in ("vm-disks", "vm-nics", "vm-cd-roms", "vm-snaps"):
        add(f"POST /{plural}", foreign, 202, 403, 403, 400, 400, 403, 403, 401)
    # a rule is about machines of the token's own project, whoever asks
    add("POST /vm-scheduling-rules", foreign, 400, 403, 403, 400, 400, 403, 403, 401)
    for verb in ("start", "stop", "flatten", "rollback"):
        add(f"POST /virtual-machines/{{id}}/:{verb}", own, 202, 403, 403, 202, 202, 403, 403, 401)
        add(f"POST /virtual-machines/{{id}}/:{verb}", foreign, 202, 403, 403, 404, 404, 403, 403, 401)
    verify = "POST /virtual-machines/{id}/:verify-gpasswd"
    add(verify, own, 200, 403, 403, 200, 200, 403, 403, 401)
    add(verify, foreign, 200, 403, 403, 404, 404, 403, 403, 401)
    # 409: it does not run; and there is no other node, which is none of a project's business
    add("POST /virtual-machines/{id}/:reboot", own, 409, 403, 403, 409, 409, 403, 403, 401)
    add("POST /virtual-machines/{id}/:reboot", foreign, 409, 403, 403, 404, 404, 403, 403, 401)
    for verb in ("migrate", "failure-migrate"):
        for target in (own, foreign):
            add(f"POST /virtual-machines/{{id}}/:{verb}", target, 409, 403, 403, 403, 403, 403, 403, 401)
    add("POST /virtual-machines/:clone", own, 202, 403, 403, 202, 202, 403, 403, 401)
    add("POST /virtual-machines/:clone", foreign, 202, 403, 403, 400, 400, 403, 403, 401)
    jobs = ("vm-cleanup-jobs", "vm-disk-cleanup-jobs", "vm-nic-cleanup-jobs")
    for plural in ("vm-disk-snaps", "vm-nic-snaps", "vm-cd-rom-snaps", *jobs):
        add(f"GET /{plural}", common, 200, 403, 200, 200, 200, 200, 403, 401)
        add(f"GET /{plural}/{{id}}", own, 200, 403, 200, 200, 200, 200, 403, 401)
        add(f"GET /{plural}/{{id}}", foreign, 200, 403, 200, 404, 404, 404, 403, 401)
    # one node has nowhere to migrate to, and so no jobs of that
    add("GET /vm-migration-jobs", common, 200, 403, 200, 200, 200, 200, 403, 401)
    for target in (own, foreign):
        add("GET /vm-migration-jobs/{id}", target, 404, 403, 404, 404, 404, 404, 403, 401)

    add("GET /events", common, 200, 403, 200, 200, 200, 200, 403, 401)
    add("GET /events/{id}", own, 200, 403, 200, 200, 200, 200, 403, 401)
    add("GET /events/{id}", foreign, 200, 403, 200, 404, 404, 404, 403, 401)
    add("GET /audit-logs", common, 200, 200, 200, 200, 403, 403, 403, 401)
    add("GET /audit-logs/{id}", own, 200, 200, 200, 200, 403, 403, 403, 401)
    add("GET /audit-logs/{id}", foreign, 200, 200, 200, 404, 403, 403, 403, 401)

    add("GET /users", common, 200, 200, 200, 200, 200, 200, 200, 401)
    add("POST /users", common, 202, 202, 403, 403, 403, 403, 403, 401)
    add("GET /users/{id}", own, 200, 200, 200, 200, 200, 200, 200, 401)
    add("GET /users/{id}", fellow, 200, 200, 200, 200, 404, 404, 404, 401)
    add("GET /users/{id}", foreign, 200, 200, 200, 404, 404, 404, 404, 401)
    add("PATCH /users/{id}", own, 202, 202, 202, 202, 202, 202, 202, 401)
    add("PATCH /users/{id}", fellow, 202, 202, 404, 404, 404, 404, 404, 401)
    add("PATCH /users/{id}", foreign, 202, 202, 404, 404, 404, 404, 404, 401)
    # nobody deletes themselves
    add("DELETE /users/{id}", own, 409, 409, 403, 403, 403, 403, 403, 401)
    add("DELETE /users/{id}", fellow, 202, 202, 403, 403, 403, 403, 403, 401)
    add("DELETE /users/{id}", foreign, 202, 202, 403, 403, 403, 403, 403, 401)
    for target in (own, fellow, foreign):
        add("POST /users/{id}/:allow-login", target, 202, 202, 403, 403, 403, 403, 403, 401)
    add("POST /users/:verify-password", common, 200, 200, 200, 200, 200, 200, 200, 401)
    # 400: the caller is no member of the project that is to be the default
    add("POST /users/{id}/:set-default-project", own, 400, 400, 400, 202, 202, 202, 400, 401)
    add("POST /users/{id}/:set-default-project", fellow, 202, 202, 404, 404, 404, 404, 404, 401)
    add("POST /users/{id}/:set-default-project", foreign, 202, 202, 404, 404, 404, 404, 404, 401)
    add("GET /users/{id}/:ui-profile", own, 200, 200, 200, 200, 200, 200, 200, 401)
    add("PATCH /users/{id}/:ui-profile", own, 202, 202, 202, 202, 202, 202, 202, 401)
    for target in (fellow, foreign):
        add("GET /users/{id}/:ui-profile", target, 200, 404, 404, 404, 404, 404, 404, 401)
        add("PATCH /users/{id}/:ui-profile", target, 202, 404, 404, 404, 404, 404, 404, 401)
    add("GET /users/{id}/projects", own, 200, 200, 200, 200, 200, 200, 200, 401)
    for target in (fellow, foreign):
        add("GET /users/{id}/projects", target, 200, 200, 200, 404, 404, 404, 404, 401)
    set_role = "POST /users/{id}/projects/{project_id}/:set-role"
    add(set_role, fellow, 202, 202, 403, 202, 403, 403, 403, 401)
    add(set_role, foreign, 202, 202, 403, 404, 403, 403, 403, 401)

    add("GET /projects", common, 200, 200, 200, 200, 200, 200, 200, 401)
    add("POST /projects", common, 202, 403, 403, 403, 403, 403, 403, 401)
    add("GET /projects/{id}", own, 200, 200, 200, 200, 200, 200, 404, 401)
    add("GET /projects/{id}", foreign, 200, 200, 200, 404, 404, 404, 404, 401)
    for target in (own, foreign):
        add("PATCH /projects/{id}", target, 202, 403, 403, 403, 403, 403, 403, 401)
        add("POST /projects/{id}/:add-user", target, 202, 202, 403, 403, 403, 403, 403, 401)
    # 409: there are label keys in it
    add("DELETE /projects/{id}", own, 409, 403, 403, 403, 403, 403, 403, 401)
    add("DELETE /projects/{id}", common, 202, 403, 403, 403, 403, 403, 403, 401)
    add("POST /projects/{id}/:remove-user", own, 202, 202, 403, 202, 403, 403, 403, 401)
    add("POST /projects/{id}/:remove-user", foreign, 202, 202, 403, 404, 403, 403, 403, 401)
    add("GET /projects/{id}/users", own, 200, 200, 200, 200, 200, 200, 403, 401)
    add("GET /projects/{id}/users", foreign, 200, 200, 200, 404, 404, 404, 403, 401)

    add("POST /tokens/:login", common, 201, 201, 201, 201, 201, 201, 201, 201)
    add("POST /tokens/:logout", common, 204, 204, 204, 204, 204, 204, 204, 401)
    reauth = "POST /tokens/:reauth-in-project"
    add(reauth, own, 201, 400, 400, 201, 201, 201, 400, 401)
    add(reauth, foreign, 201, 400, 400, 400, 400, 400, 400, 401)
    add("POST /rsa-keys", common, 200, 200, 200, 200, 200, 200, 200, 200)
    return rules


RULES = _rules()
