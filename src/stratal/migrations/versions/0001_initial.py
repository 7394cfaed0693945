"""initial"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from stratal.kernel import columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:

    op.create_table(
        "access_key",
        sa.Column("access", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("access", name=op.f("pk_access_key")),
    )
    with op.batch_alter_table("access_key", schema=None) as batch_op:
        batch_op.create_index("ix_access_key_user_id", ["user_id"], unique=False)

    op.create_table(
        "application_credential",
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("unrestricted", sa.Boolean(), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("expires_at", columns.UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_application_credential")),
    )
    with op.batch_alter_table("application_credential", schema=None) as batch_op:
        batch_op.create_index("uq_application_credential_user_id_name", ["user_id", "name"], unique=True)

    op.create_table(
        "audit_log",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("user_name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("client_ip", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("request_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("action", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "resource_type", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("resource_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "resource_name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column("old_data", columns.JsonColumn(), nullable=True),
        sa.Column("new_data", columns.JsonColumn(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("message", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("started_at", columns.UtcTime(), nullable=False),
        sa.Column("finished_at", columns.UtcTime(), nullable=True),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_log_created_at"), ["created_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_audit_log_project_id_created_at"), ["project_id", "created_at"], unique=False
        )
        batch_op.create_index("ix_audit_log_resource", ["resource_type", "resource_id"], unique=False)
        batch_op.create_index(
            "ix_audit_log_running",
            ["resource_type", "resource_id"],
            unique=False,
            sqlite_where=sa.text("status = 'running'"),
            postgresql_where=sa.text("status = 'running'"),
        )
        batch_op.create_index(
            batch_op.f("ix_audit_log_user_id_created_at"), ["user_id", "created_at"], unique=False
        )

    op.create_table(
        "br_net_ns_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("br_net_id", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_br_net_ns_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_br_net_ns_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("br_net_ns_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_br_net_ns_spec_br_net_id_created_at",
            ["br_net_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_ns_spec_br_net_id_name",
            ["br_net_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_ns_spec_br_net_id_node_id",
            ["br_net_id", "node_id"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_ns_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_ns_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_ns_spec_node_id_created_at",
            ["node_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_ns_spec_node_id_name",
            ["node_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "br_net_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vsw_id", sa.BigInteger(), nullable=False),
        sa.Column("vlan_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("mtu", sa.BigInteger(), nullable=False),
        sa.Column("l3_net_id", sa.BigInteger(), nullable=True),
        sa.Column("cidr", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("gateway", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("dhcp", sa.Boolean(), nullable=False),
        sa.Column("dns_servers", sa.Text(), nullable=False),
        sa.Column(
            "covered_etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_br_net_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_br_net_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("br_net_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_br_net_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_spec_l3_net_id_created_at",
            ["l3_net_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_spec_l3_net_id_name",
            ["l3_net_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_spec_vsw_id_created_at",
            ["vsw_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_br_net_spec_vsw_id_name",
            ["vsw_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_br_net_spec_project_id_name",
            ["project_id", "name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.create_index(
            "uq_br_net_spec_vsw_id_vlan_id",
            ["vsw_id", "vlan_id"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "bridge_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("br_net_id", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("vsw_id", sa.BigInteger(), nullable=False),
        sa.Column("vlan_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bridge_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_bridge_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("bridge_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_bridge_spec_br_net_id_created_at",
            ["br_net_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bridge_spec_br_net_id_name",
            ["br_net_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bridge_spec_br_net_id_node_id",
            ["br_net_id", "node_id"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bridge_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bridge_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bridge_spec_node_id_created_at",
            ["node_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bridge_spec_node_id_name",
            ["node_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bridge_spec_vsw_id_created_at",
            ["vsw_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bridge_spec_vsw_id_name",
            ["vsw_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "bs_policy_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("driver", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("place", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("data_replica_type", sa.Text(), nullable=False),
        sa.Column("data_replica_num", sa.BigInteger(), nullable=False),
        sa.Column("cache_enabled", sa.Boolean(), nullable=False),
        sa.Column("cache_replica_num", sa.BigInteger(), nullable=False),
        sa.Column("pool_id", sa.BigInteger(), nullable=True),
        sa.Column("thin_provisioned", sa.Boolean(), nullable=False),
        sa.Column("chain_limit", sa.BigInteger(), nullable=False),
        sa.Column("max_total_iops", sa.BigInteger(), nullable=False),
        sa.Column("max_total_bw_bps", sa.BigInteger(), nullable=False),
        sa.Column("overcommit", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bs_policy_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_bs_policy_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("bs_policy_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_bs_policy_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_policy_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_bs_policy_spec_name",
            ["name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "bs_snap_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("bs_volume_id", sa.BigInteger(), nullable=False),
        sa.Column("bs_policy_id", sa.BigInteger(), nullable=False),
        sa.Column("pool_id", sa.BigInteger(), nullable=True),
        sa.Column("size_mb", sa.BigInteger(), nullable=False),
        sa.Column("vm_snap_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bs_snap_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_bs_snap_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("bs_snap_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_bs_snap_spec_bs_policy_id_created_at",
            ["bs_policy_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_snap_spec_bs_policy_id_name",
            ["bs_policy_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_snap_spec_bs_volume_id_created_at",
            ["bs_volume_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_snap_spec_bs_volume_id_name",
            ["bs_volume_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_snap_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_snap_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_snap_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_snap_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_snap_spec_vm_snap_id_created_at",
            ["vm_snap_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_snap_spec_vm_snap_id_name",
            ["vm_snap_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "bs_volume_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("bs_policy_id", sa.BigInteger(), nullable=False),
        sa.Column("bs_snap_id", sa.BigInteger(), nullable=True),
        sa.Column("vm_image_id", sa.BigInteger(), nullable=True),
        sa.Column("size_mb", sa.BigInteger(), nullable=False),
        sa.Column("loaded", sa.Boolean(), nullable=False),
        sa.Column("flattened", sa.Boolean(), nullable=False),
        sa.Column("serial", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("pool_id", sa.BigInteger(), nullable=True),
        sa.Column("max_total_iops", sa.BigInteger(), nullable=False),
        sa.Column("max_total_bw_bps", sa.BigInteger(), nullable=False),
        sa.Column("creator", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("rollback_bs_snap_id", sa.BigInteger(), nullable=True),
        sa.Column("rollback_num", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bs_volume_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_bs_volume_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("bs_volume_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_bs_volume_spec_bs_policy_id_created_at",
            ["bs_policy_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_volume_spec_bs_policy_id_name",
            ["bs_policy_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_volume_spec_bs_snap_id_created_at",
            ["bs_snap_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_volume_spec_bs_snap_id_name",
            ["bs_snap_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_volume_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_volume_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_volume_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_volume_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_volume_spec_vm_image_id_created_at",
            ["vm_image_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_bs_volume_spec_vm_image_id_name",
            ["vm_image_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "chassis_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("rack_id", sa.BigInteger(), nullable=False),
        sa.Column("height_u", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chassis_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_chassis_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("chassis_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_chassis_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_chassis_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_chassis_spec_rack_id_created_at",
            ["rack_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_chassis_spec_rack_id_name",
            ["rack_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_chassis_spec_rack_id_name",
            ["rack_id", "name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "data_center_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("is_witness", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_center_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_data_center_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("data_center_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_data_center_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_data_center_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_data_center_spec_name",
            ["name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "event",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("event", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column(
            "resource_type", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column("resource_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "resource_name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("node_id", sa.BigInteger(), nullable=True),
        sa.Column("data", columns.JsonColumn(), nullable=True),
        sa.Column("message", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_event_created_at"), ["created_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_event_project_id_created_at"), ["project_id", "created_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_event_resource_type_resource_id"), ["resource_type", "resource_id"], unique=False
        )

    op.create_table(
        "l3_net_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("br_net_id", sa.BigInteger(), nullable=True),
        sa.Column("cidr", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("gateway", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("usage", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_l3_net_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_l3_net_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("l3_net_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_l3_net_spec_br_net_id_created_at",
            ["br_net_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_l3_net_spec_br_net_id_name",
            ["br_net_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_l3_net_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_l3_net_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "label_attachment",
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("label_key_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("label_key_name", sa.Text(), nullable=False),
        sa.Column("label_value_id", sa.BigInteger(), nullable=False),
        sa.Column("label_value_name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "resource_type", "resource_id", "label_key_id", name=op.f("pk_label_attachment")
        ),
    )
    with op.batch_alter_table("label_attachment", schema=None) as batch_op:
        batch_op.create_index("ix_label_attachment_label_value_id", ["label_value_id"], unique=False)

    op.create_table(
        "label_key_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_key_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_label_key_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("label_key_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_label_key_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_label_key_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_label_key_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_label_key_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_label_key_spec_project_id_name",
            ["project_id", "name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "label_value_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("label_key_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_value_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_label_value_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("label_value_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_label_value_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_label_value_spec_label_key_id_created_at",
            ["label_key_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_label_value_spec_label_key_id_name",
            ["label_key_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_label_value_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_label_value_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_label_value_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_label_value_spec_label_key_id_name",
            ["label_key_id", "name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "layer",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tree_id", sa.BigInteger(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("frozen", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("origin", columns.JsonColumn(), nullable=True),
        sa.Column("volume_id", sa.BigInteger(), nullable=True),
        sa.Column("allocated_bytes", sa.BigInteger(), nullable=True),
        sa.Column("covered_bytes", sa.BigInteger(), nullable=True),
        sa.Column("covered_by", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("loose", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_layer")),
    )
    with op.batch_alter_table("layer", schema=None) as batch_op:
        batch_op.create_index("ix_layer_parent", ["parent", "loose", "id"], unique=False)
        batch_op.create_index("ix_layer_tree_id", ["tree_id", "loose"], unique=False)

    op.create_table(
        "layer_gone",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tree_id", sa.BigInteger(), nullable=False),
        sa.Column("gone_at", columns.UtcTime(), nullable=False),
        sa.Column("look_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_layer_gone")),
    )
    with op.batch_alter_table("layer_gone", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_layer_gone_look_at"), ["look_at"], unique=False)

    op.create_table(
        "layer_name",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tree_id", sa.BigInteger(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("exclusive_bytes", sa.BigInteger(), nullable=False),
        sa.Column("shared_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_layer_name")),
    )
    with op.batch_alter_table("layer_name", schema=None) as batch_op:
        batch_op.create_index("ix_layer_name_layer", ["layer"], unique=False)
        batch_op.create_index("ix_layer_name_tree_id", ["tree_id"], unique=False)

    op.create_table(
        "login_record",
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("failure_num", sa.Integer(), nullable=False),
        sa.Column("locked_until", columns.UtcTime(), nullable=True),
        sa.Column("last_login_at", columns.UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_login_record")),
    )
    op.create_table(
        "machine_memory",
        sa.Column("vm_snap_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("size_byte", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("vm_snap_id", name=op.f("pk_machine_memory")),
    )
    op.create_table(
        "machine_part",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("vm_id", sa.BigInteger(), nullable=False),
        sa.Column("attached", sa.Boolean(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("released", sa.Boolean(), nullable=False),
        sa.Column("device", sa.Text(), nullable=True),
        sa.Column("size_mb", sa.BigInteger(), nullable=True),
        sa.Column("inserted", sa.Boolean(), nullable=False),
        sa.Column("link_up", sa.Boolean(), nullable=False),
        sa.Column("bridge_id", sa.BigInteger(), nullable=True),
        sa.Column("ip_addresses", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_machine_part")),
    )
    with op.batch_alter_table("machine_part", schema=None) as batch_op:
        batch_op.create_index("ix_machine_part_vm_id", ["vm_id"], unique=False)

    op.create_table(
        "membership",
        sa.Column("project_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("role_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", name=op.f("pk_membership")),
    )
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.create_index("ix_membership_user_id", ["user_id"], unique=False)

    op.create_table(
        "nic_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("vsw_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nic_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_nic_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("nic_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_nic_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_nic_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_nic_spec_node_id_created_at",
            ["node_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_nic_spec_node_id_name",
            ["node_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_nic_spec_vsw_id_created_at",
            ["vsw_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_nic_spec_vsw_id_name",
            ["vsw_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_nic_spec_node_id_name",
            ["node_id", "name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "node_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("admin_ip", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "storage_public_ip", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column(
            "storage_private_ip", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column("role_sddc_admin", sa.Boolean(), nullable=False),
        sa.Column("role_sddc_server", sa.Boolean(), nullable=False),
        sa.Column("role_sds_admin", sa.Boolean(), nullable=False),
        sa.Column("role_sds_monitor", sa.Boolean(), nullable=False),
        sa.Column("role_sds_server", sa.Boolean(), nullable=False),
        sa.Column("chassis_id", sa.BigInteger(), nullable=True),
        sa.Column("maintained", sa.Boolean(), nullable=False),
        sa.Column("unrecoverable", sa.Boolean(), nullable=False),
        sa.Column(
            "registered_as", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_node_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("node_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_node_spec_admin_ip",
            ["admin_ip"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_node_spec_chassis_id_created_at",
            ["chassis_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_node_spec_chassis_id_name",
            ["chassis_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_node_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_node_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_node_spec_name",
            ["name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "os_release_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column(
            "distribution", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("version", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("arch", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("min_memory_mb", sa.BigInteger(), nullable=False),
        sa.Column("default_bios", sa.Text(), nullable=False),
        sa.Column(
            "default_disk_bus", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column(
            "default_nic_model", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_os_release_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_os_release_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("os_release_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_os_release_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_os_release_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_os_release_spec_distribution_version_arch",
            ["distribution", "version", "arch"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "project_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("cpu_quota", sa.BigInteger(), nullable=False),
        sa.Column("memory_mb_quota", sa.BigInteger(), nullable=False),
        sa.Column("storage_mb_quota", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_project_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("project_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_project_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_project_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_project_spec_name",
            ["name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "rack_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("room_id", sa.BigInteger(), nullable=False),
        sa.Column("height_u", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rack_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_rack_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("rack_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_rack_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_rack_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_rack_spec_room_id_created_at",
            ["room_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_rack_spec_room_id_name",
            ["room_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_rack_spec_room_id_name",
            ["room_id", "name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "role_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("scope", columns.JsonColumn(), nullable=False),
        sa.Column("permissions", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_role_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("role_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_role_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_role_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_role_spec_name",
            ["name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "room_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("data_center_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_room_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("room_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_room_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_room_spec_data_center_id_created_at",
            ["data_center_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_room_spec_data_center_id_name",
            ["data_center_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_room_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_room_spec_data_center_id_name",
            ["data_center_id", "name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "rsa_key",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("private_pem", sa.Text(), nullable=False),
        sa.Column("public_pem", sa.Text(), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("expires_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rsa_key")),
    )
    op.create_table(
        "setting",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", columns.JsonColumn(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
    )
    op.create_table(
        "snapshot_traits",
        sa.Column("snapshot_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("metadata", columns.JsonColumn(), nullable=False),
        sa.Column("tags", columns.JsonColumn(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("group_snapshot_uuid", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("snapshot_id", name=op.f("pk_snapshot_traits")),
    )
    with op.batch_alter_table("snapshot_traits", schema=None) as batch_op:
        batch_op.create_index("ix_snapshot_traits_group_snapshot_uuid", ["group_snapshot_uuid"], unique=False)

    op.create_table(
        "token",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("expires_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_token")),
    )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.create_index("ix_token_expires_at", ["expires_at"], unique=False)
        batch_op.create_index("ix_token_user_id", ["user_id"], unique=False)

    op.create_table(
        "tree_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("driver", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("place", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("bs_policy_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tree_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_tree_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("tree_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_tree_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_tree_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "used_signature",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("expires_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_used_signature")),
    )
    with op.batch_alter_table("used_signature", schema=None) as batch_op:
        batch_op.create_index("ix_used_signature_expires_at", ["expires_at"], unique=False)

    op.create_table(
        "user_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("email", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("login_allowed", sa.Boolean(), nullable=False),
        sa.Column("force_password_change", sa.Boolean(), nullable=False),
        sa.Column("default_project_id", sa.BigInteger(), nullable=True),
        sa.Column("role_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "password_verifier", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("password_set_at", columns.UtcTime(), nullable=False),
        sa.Column("ui_profile", columns.JsonColumn(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_user_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("user_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_user_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_user_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_user_spec_role_id_created_at",
            ["role_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_user_spec_role_id_name",
            ["role_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_user_spec_name",
            ["name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "virtual_machine_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("bios", sa.Text(), nullable=False),
        sa.Column("boot_device_order", sa.Text(), nullable=False),
        sa.Column("socket_num", sa.BigInteger(), nullable=False),
        sa.Column("core_num_per_socket", sa.BigInteger(), nullable=False),
        sa.Column("thread_num_per_core", sa.BigInteger(), nullable=False),
        sa.Column("cpu_num", sa.BigInteger(), nullable=False),
        sa.Column("cpu_mode", sa.Text(), nullable=False),
        sa.Column("cpu_model", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("memory_mb", sa.BigInteger(), nullable=False),
        sa.Column("ha_enabled", sa.Boolean(), nullable=False),
        sa.Column("graphics_auth_enabled", sa.Boolean(), nullable=False),
        sa.Column("graphics_spice_enabled", sa.Boolean(), nullable=False),
        sa.Column("power_state", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=True),
        sa.Column("os_release_id", sa.BigInteger(), nullable=True),
        sa.Column("vm_snap_id", sa.BigInteger(), nullable=True),
        sa.Column("flattened", sa.Boolean(), nullable=False),
        sa.Column("reboot_num", sa.BigInteger(), nullable=False),
        sa.Column("rollback_vm_snap_id", sa.BigInteger(), nullable=True),
        sa.Column("rollback_num", sa.BigInteger(), nullable=False),
        sa.Column(
            "graphics_password", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("graphics_password_num", sa.BigInteger(), nullable=False),
        sa.Column("stop_forced", sa.Boolean(), nullable=False),
        sa.Column("reboot_forced", sa.Boolean(), nullable=False),
        sa.Column("resume_vm_snap_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_virtual_machine_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_virtual_machine_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("virtual_machine_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_virtual_machine_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_virtual_machine_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_virtual_machine_spec_node_id_created_at",
            ["node_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_virtual_machine_spec_node_id_name",
            ["node_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_virtual_machine_spec_os_release_id_created_at",
            ["os_release_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_virtual_machine_spec_os_release_id_name",
            ["os_release_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_virtual_machine_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_virtual_machine_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_virtual_machine_spec_vm_snap_id_created_at",
            ["vm_snap_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_virtual_machine_spec_vm_snap_id_name",
            ["vm_snap_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "vm_cd_rom_snap_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_snap_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_cd_rom_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_image_id", sa.BigInteger(), nullable=True),
        sa.Column("bus", sa.Text(), nullable=False),
        sa.Column("target", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("boot_order", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_cd_rom_snap_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_cd_rom_snap_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_cd_rom_snap_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_cd_rom_snap_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_snap_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_snap_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_snap_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_snap_spec_vm_snap_id_created_at",
            ["vm_snap_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_snap_spec_vm_snap_id_name",
            ["vm_snap_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "vm_cd_rom_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_image_id", sa.BigInteger(), nullable=True),
        sa.Column("bus", sa.Text(), nullable=False),
        sa.Column("boot_order", sa.BigInteger(), nullable=True),
        sa.Column("target", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_cd_rom_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_cd_rom_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_cd_rom_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_cd_rom_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_spec_vm_id_created_at",
            ["vm_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_spec_vm_id_name",
            ["vm_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_spec_vm_image_id_created_at",
            ["vm_image_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cd_rom_spec_vm_image_id_name",
            ["vm_image_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "vm_cleanup_job_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_id", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_cleanup_job_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_cleanup_job_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_cleanup_job_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_cleanup_job_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cleanup_job_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cleanup_job_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cleanup_job_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cleanup_job_spec_vm_id_created_at",
            ["vm_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_cleanup_job_spec_vm_id_name",
            ["vm_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "vm_disk_cleanup_job_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_disk_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_id", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_disk_cleanup_job_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_disk_cleanup_job_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_disk_cleanup_job_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_disk_cleanup_job_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_cleanup_job_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_cleanup_job_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_cleanup_job_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_cleanup_job_spec_vm_disk_id_created_at",
            ["vm_disk_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_cleanup_job_spec_vm_disk_id_name",
            ["vm_disk_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_cleanup_job_spec_vm_id_created_at",
            ["vm_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_cleanup_job_spec_vm_id_name",
            ["vm_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "vm_disk_snap_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_snap_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_disk_id", sa.BigInteger(), nullable=False),
        sa.Column("bs_snap_id", sa.BigInteger(), nullable=False),
        sa.Column("bs_volume_id", sa.BigInteger(), nullable=False),
        sa.Column("bus", sa.Text(), nullable=False),
        sa.Column("boot", sa.Boolean(), nullable=False),
        sa.Column("size_mb", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("cache_mode", sa.Text(), nullable=False),
        sa.Column("delete_volume_with_vm", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_disk_snap_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_disk_snap_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_disk_snap_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_disk_snap_spec_bs_snap_id_created_at",
            ["bs_snap_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_snap_spec_bs_snap_id_name",
            ["bs_snap_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_snap_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_snap_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_snap_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_snap_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_snap_spec_vm_snap_id_created_at",
            ["vm_snap_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_snap_spec_vm_snap_id_name",
            ["vm_snap_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "vm_disk_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_id", sa.BigInteger(), nullable=False),
        sa.Column("bs_volume_id", sa.BigInteger(), nullable=False),
        sa.Column("bus", sa.Text(), nullable=False),
        sa.Column("boot", sa.Boolean(), nullable=False),
        sa.Column("size_mb", sa.BigInteger(), nullable=False),
        sa.Column("bs_policy_id", sa.BigInteger(), nullable=True),
        sa.Column("vm_image_id", sa.BigInteger(), nullable=True),
        sa.Column("cache_mode", sa.Text(), nullable=False),
        sa.Column("max_total_iops", sa.BigInteger(), nullable=False),
        sa.Column("max_total_bw_bps", sa.BigInteger(), nullable=False),
        sa.Column("delete_volume_with_vm", sa.Boolean(), nullable=False),
        sa.Column("target", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("takes_volume", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_disk_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_disk_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_disk_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_disk_spec_bs_volume_id_created_at",
            ["bs_volume_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_spec_bs_volume_id_name",
            ["bs_volume_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_spec_vm_id_created_at",
            ["vm_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_disk_spec_vm_id_name",
            ["vm_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_vm_disk_spec_bs_volume_id",
            ["bs_volume_id"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "vm_image_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("os_release_id", sa.BigInteger(), nullable=True),
        sa.Column("size_byte", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("bs_policy_id", sa.BigInteger(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("bs_snap_id", sa.BigInteger(), nullable=True),
        sa.Column("vm_snap_id", sa.BigInteger(), nullable=True),
        sa.Column("arrived_byte", sa.BigInteger(), nullable=False),
        sa.Column("expected_byte", sa.BigInteger(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("refusal", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "import_path", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("in_place", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_image_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_image_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_image_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_image_spec_bs_policy_id_created_at",
            ["bs_policy_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_image_spec_bs_policy_id_name",
            ["bs_policy_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_image_spec_bs_snap_id_created_at",
            ["bs_snap_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_image_spec_bs_snap_id_name",
            ["bs_snap_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_image_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_image_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_image_spec_os_release_id_created_at",
            ["os_release_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_image_spec_os_release_id_name",
            ["os_release_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_image_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_image_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_image_spec_vm_snap_id_created_at",
            ["vm_snap_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_image_spec_vm_snap_id_name",
            ["vm_snap_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "vm_migration_job_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("src_node_id", sa.BigInteger(), nullable=False),
        sa.Column("dst_node_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_migration_job_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_migration_job_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_migration_job_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_migration_job_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_migration_job_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_migration_job_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_migration_job_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_migration_job_spec_vm_id_created_at",
            ["vm_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_migration_job_spec_vm_id_name",
            ["vm_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "vm_nic_cleanup_job_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_nic_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_id", sa.BigInteger(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_nic_cleanup_job_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_nic_cleanup_job_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_nic_cleanup_job_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_nic_cleanup_job_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_cleanup_job_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_cleanup_job_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_cleanup_job_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_cleanup_job_spec_vm_id_created_at",
            ["vm_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_cleanup_job_spec_vm_id_name",
            ["vm_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_cleanup_job_spec_vm_nic_id_created_at",
            ["vm_nic_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_cleanup_job_spec_vm_nic_id_name",
            ["vm_nic_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "vm_nic_snap_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_snap_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_nic_id", sa.BigInteger(), nullable=False),
        sa.Column("br_net_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "mac_address", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("link_up", sa.Boolean(), nullable=False),
        sa.Column("queue_num", sa.BigInteger(), nullable=False),
        sa.Column("ip_address", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("in_bw_kbps", sa.BigInteger(), nullable=False),
        sa.Column("out_bw_kbps", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_nic_snap_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_nic_snap_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_nic_snap_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_nic_snap_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_snap_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_snap_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_snap_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_snap_spec_vm_snap_id_created_at",
            ["vm_snap_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_snap_spec_vm_snap_id_name",
            ["vm_snap_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "vm_nic_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_id", sa.BigInteger(), nullable=False),
        sa.Column("br_net_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "mac_address", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("link_up", sa.Boolean(), nullable=False),
        sa.Column("queue_num", sa.BigInteger(), nullable=False),
        sa.Column("ip_address", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("in_bw_kbps", sa.BigInteger(), nullable=False),
        sa.Column("out_bw_kbps", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_nic_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_nic_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_nic_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_nic_spec_br_net_id_created_at",
            ["br_net_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_spec_br_net_id_name",
            ["br_net_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_spec_vm_id_created_at",
            ["vm_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_nic_spec_vm_id_name",
            ["vm_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_vm_nic_spec_mac_address",
            ["mac_address"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "vm_scheduling_rule_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("vm_ids", columns.JsonColumn(), nullable=False),
        sa.Column("node_ids", columns.JsonColumn(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_scheduling_rule_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_scheduling_rule_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_scheduling_rule_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_scheduling_rule_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_scheduling_rule_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_scheduling_rule_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_scheduling_rule_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "vm_snap_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_id", sa.BigInteger(), nullable=False),
        sa.Column("vm_name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "vm_description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("bios", sa.Text(), nullable=False),
        sa.Column("boot_device_order", sa.Text(), nullable=False),
        sa.Column("core_num_per_socket", sa.BigInteger(), nullable=False),
        sa.Column("cpu_mode", sa.Text(), nullable=False),
        sa.Column("cpu_num", sa.BigInteger(), nullable=False),
        sa.Column("graphics_auth_enabled", sa.Boolean(), nullable=False),
        sa.Column("graphics_spice_enabled", sa.Boolean(), nullable=False),
        sa.Column("ha_enabled", sa.Boolean(), nullable=False),
        sa.Column("memory_mb", sa.BigInteger(), nullable=False),
        sa.Column("power_state", sa.Text(), nullable=False),
        sa.Column("socket_num", sa.BigInteger(), nullable=False),
        sa.Column("thread_num_per_core", sa.BigInteger(), nullable=False),
        sa.Column("time_zone", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("quiesce", sa.Boolean(), nullable=False),
        sa.Column("vm_ip_addresses", sa.Text(), nullable=False),
        sa.Column("cpu_model", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_snap_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vm_snap_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vm_snap_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vm_snap_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_snap_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_snap_spec_project_id_created_at",
            ["project_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_snap_spec_project_id_name",
            ["project_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_snap_spec_vm_id_created_at",
            ["vm_id", "created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vm_snap_spec_vm_id_name",
            ["vm_id", "name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "volume_attachment",
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("volume_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("instance_uuid", sa.Text(), nullable=True),
        sa.Column("host_name", sa.Text(), nullable=True),
        sa.Column("mountpoint", sa.Text(), nullable=True),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("connector", columns.JsonColumn(), nullable=True),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("attached_at", columns.UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_volume_attachment")),
    )
    with op.batch_alter_table("volume_attachment", schema=None) as batch_op:
        batch_op.create_index("ix_volume_attachment_project_id", ["project_id"], unique=False)
        batch_op.create_index("ix_volume_attachment_volume_id", ["volume_id"], unique=False)

    op.create_table(
        "volume_default_type",
        sa.Column("project_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bs_policy_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_volume_default_type")),
    )
    op.create_table(
        "volume_group",
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("group_type_uuid", sa.Text(), nullable=False),
        sa.Column("policy_ids", columns.JsonColumn(), nullable=False),
        sa.Column("source_group_uuid", sa.Text(), nullable=True),
        sa.Column("group_snapshot_uuid", sa.Text(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_volume_group")),
    )
    with op.batch_alter_table("volume_group", schema=None) as batch_op:
        batch_op.create_index("ix_volume_group_project_id", ["project_id"], unique=False)

    op.create_table(
        "volume_group_snapshot",
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("group_uuid", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("tags", columns.JsonColumn(), nullable=False),
        sa.Column("server_uuid", sa.Text(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_volume_group_snapshot")),
    )
    with op.batch_alter_table("volume_group_snapshot", schema=None) as batch_op:
        batch_op.create_index("ix_volume_group_snapshot_group_uuid", ["group_uuid"], unique=False)
        batch_op.create_index("ix_volume_group_snapshot_project_id", ["project_id"], unique=False)

    op.create_table(
        "volume_group_type",
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("specs", columns.JsonColumn(), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_volume_group_type")),
        sa.UniqueConstraint("name", name=op.f("uq_volume_group_type_name")),
    )
    op.create_table(
        "volume_job",
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("volume_ids", columns.JsonColumn(), nullable=False),
        sa.Column("client_token", sa.Text(), nullable=True),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_volume_job")),
        sa.UniqueConstraint("project_id", "client_token", name=op.f("uq_volume_job_project_id_client_token")),
    )
    op.create_table(
        "volume_limits",
        sa.Column("project_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("volumes", sa.Integer(), nullable=False),
        sa.Column("snapshots", sa.Integer(), nullable=False),
        sa.Column("per_volume_gigabytes", sa.Integer(), nullable=False),
        sa.Column("groups", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_volume_limits")),
    )
    op.create_table(
        "volume_message_dismissed",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_volume_message_dismissed")),
    )
    op.create_table(
        "volume_qos",
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("specs", columns.JsonColumn(), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_volume_qos")),
        sa.UniqueConstraint("name", name=op.f("uq_volume_qos_name")),
    )
    op.create_table(
        "volume_recycle_policy",
        sa.Column("project_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("switch", sa.Boolean(), nullable=False),
        sa.Column("threshold_time", sa.Integer(), nullable=False),
        sa.Column("keep_time", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_volume_recycle_policy")),
    )
    op.create_table(
        "volume_recycled",
        sa.Column("volume_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("recycled_at", columns.UtcTime(), nullable=False),
        sa.Column("expires_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("volume_id", name=op.f("pk_volume_recycled")),
    )
    with op.batch_alter_table("volume_recycled", schema=None) as batch_op:
        batch_op.create_index("ix_volume_recycled_expires_at", ["expires_at"], unique=False)
        batch_op.create_index("ix_volume_recycled_project_id", ["project_id"], unique=False)

    op.create_table(
        "volume_traits",
        sa.Column("volume_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("metadata", columns.JsonColumn(), nullable=False),
        sa.Column("image_metadata", columns.JsonColumn(), nullable=False),
        sa.Column("tags", columns.JsonColumn(), nullable=False),
        sa.Column("bootable", sa.Boolean(), nullable=False),
        sa.Column("multiattach", sa.Boolean(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("source_volume_id", sa.BigInteger(), nullable=True),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("group_uuid", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("volume_id", name=op.f("pk_volume_traits")),
    )
    with op.batch_alter_table("volume_traits", schema=None) as batch_op:
        batch_op.create_index("ix_volume_traits_group_uuid", ["group_uuid"], unique=False)

    op.create_table(
        "volume_transfer",
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("volume_id", sa.BigInteger(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("no_snapshots", sa.Boolean(), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_volume_transfer")),
        sa.UniqueConstraint("volume_id", name=op.f("uq_volume_transfer_volume_id")),
    )
    with op.batch_alter_table("volume_transfer", schema=None) as batch_op:
        batch_op.create_index("ix_volume_transfer_project_id", ["project_id"], unique=False)

    op.create_table(
        "volume_type_access",
        sa.Column("bs_policy_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("bs_policy_id", "project_id", name=op.f("pk_volume_type_access")),
    )
    op.create_table(
        "volume_type_traits",
        sa.Column("bs_policy_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("extra_specs", columns.JsonColumn(), nullable=False),
        sa.Column("qos_uuid", sa.Text(), nullable=True),
        sa.Column("encryption", columns.JsonColumn(), nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("bs_policy_id", name=op.f("pk_volume_type_traits")),
    )
    op.create_table(
        "vsw_spec",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column(
            "description", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("creation_finish", columns.UtcTime(), nullable=True),
        sa.Column("deletion_begin", columns.UtcTime(), nullable=True),
        sa.Column("deletion_finish", columns.UtcTime(), nullable=True),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("bond_mode", sa.Text(), nullable=True),
        sa.Column("mtu", sa.BigInteger(), nullable=False),
        sa.Column("nic_ids", columns.JsonColumn(), nullable=False),
        sa.Column("system", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vsw_spec")),
        sa.UniqueConstraint("uuid", name=op.f("uq_vsw_spec_uuid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("vsw_spec", schema=None) as batch_op:
        batch_op.create_index(
            "ix_vsw_spec_created_at",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_vsw_spec_name",
            ["name"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "uq_vsw_spec_name",
            ["name"],
            unique=True,
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )

    op.create_table(
        "work",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_at", columns.UtcTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("requested", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", columns.UtcTime(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_work")),
    )
    with op.batch_alter_table("work", schema=None) as batch_op:
        batch_op.create_index(
            "ix_work_due_at",
            ["due_at"],
            unique=False,
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    op.create_table(
        "br_net_ns_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("bridge_id", sa.BigInteger(), nullable=True),
        sa.Column("ip_addresses", sa.Text(), nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["br_net_ns_spec.id"], name=op.f("fk_br_net_ns_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_br_net_ns_status")),
    )
    op.create_table(
        "br_net_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("vm_nic_num", sa.BigInteger(), nullable=False),
        sa.Column("bridge_num", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["br_net_spec.id"], name=op.f("fk_br_net_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_br_net_status")),
    )
    op.create_table(
        "bridge_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("device", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("operstate", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("mac_address", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("port_num", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["bridge_spec.id"], name=op.f("fk_bridge_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bridge_status")),
    )
    op.create_table(
        "bs_policy_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("bs_volume_num", sa.BigInteger(), nullable=False),
        sa.Column("total_byte", sa.BigInteger(), nullable=False),
        sa.Column("used_byte", sa.BigInteger(), nullable=False),
        sa.Column("allocated_byte", sa.BigInteger(), nullable=False),
        sa.Column("pool_status", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["bs_policy_spec.id"], name=op.f("fk_bs_policy_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bs_policy_status")),
    )
    op.create_table(
        "bs_snap_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("cloned_volume_num", sa.BigInteger(), nullable=False),
        sa.Column("allocated_size_byte", sa.BigInteger(), nullable=False),
        sa.Column("shared_size_byte", sa.BigInteger(), nullable=False),
        sa.Column("flattened", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["bs_snap_spec.id"], name=op.f("fk_bs_snap_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bs_snap_status")),
    )
    op.create_table(
        "bs_volume_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("size_mb", sa.BigInteger(), nullable=False),
        sa.Column("allocated_size_byte", sa.BigInteger(), nullable=False),
        sa.Column("exclusive_size_byte", sa.BigInteger(), nullable=False),
        sa.Column("loaded", sa.Boolean(), nullable=False),
        sa.Column("flattened", sa.Boolean(), nullable=False),
        sa.Column("rollback_num", sa.BigInteger(), nullable=False),
        sa.Column("mapping_num", sa.BigInteger(), nullable=False),
        sa.Column("protocol", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("vm_disk_id", sa.BigInteger(), nullable=True),
        sa.Column("bs_snap_num", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["bs_volume_spec.id"], name=op.f("fk_bs_volume_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bs_volume_status")),
    )
    op.create_table(
        "chassis_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("sds_placement_node_id", sa.BigInteger(), nullable=True),
        sa.Column("child_num", sa.BigInteger(), nullable=False),
        sa.Column("node_num", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["chassis_spec.id"], name=op.f("fk_chassis_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chassis_status")),
    )
    op.create_table(
        "data_center_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("sds_placement_node_id", sa.BigInteger(), nullable=True),
        sa.Column("child_num", sa.BigInteger(), nullable=False),
        sa.Column("node_num", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["data_center_spec.id"], name=op.f("fk_data_center_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_center_status")),
    )
    op.create_table(
        "l3_net_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("used_ip_num", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["l3_net_spec.id"], name=op.f("fk_l3_net_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_l3_net_status")),
    )
    op.create_table(
        "label_key_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("label_value_num", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["label_key_spec.id"], name=op.f("fk_label_key_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_key_status")),
    )
    op.create_table(
        "label_value_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("resource_num", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["label_value_spec.id"], name=op.f("fk_label_value_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_value_status")),
    )
    op.create_table(
        "nic_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("mac_address", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("operstate", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("link_detected", sa.Boolean(), nullable=True),
        sa.Column("megabits", sa.BigInteger(), nullable=True),
        sa.Column(
            "bonding_mode", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column("master_nic_id", sa.BigInteger(), nullable=True),
        sa.Column("vf_num", sa.BigInteger(), nullable=True),
        sa.Column("mtu", sa.BigInteger(), nullable=True),
        sa.Column("driver", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("pci_address", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("ip_addresses", sa.Text(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["nic_spec.id"], name=op.f("fk_nic_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nic_status")),
    )
    op.create_table(
        "node_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("up", sa.Boolean(), nullable=False),
        sa.Column("hostname", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("system_uuid", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("vendor", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("model", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("serial", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("arch", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("cpu_model", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("cpu_num", sa.BigInteger(), nullable=True),
        sa.Column("physical_cpu_num", sa.BigInteger(), nullable=True),
        sa.Column("memory_mb", sa.BigInteger(), nullable=True),
        sa.Column("boot_at", columns.UtcTime(), nullable=True),
        sa.Column("iommu_enabled", sa.Boolean(), nullable=True),
        sa.Column("numa_enabled", sa.Boolean(), nullable=True),
        sa.Column("sds_host_id", sa.BigInteger(), nullable=True),
        sa.Column("sds_placement_node_id", sa.BigInteger(), nullable=True),
        sa.Column("vm_num", sa.BigInteger(), nullable=True),
        sa.Column("allocated_cpu_num", sa.BigInteger(), nullable=True),
        sa.Column("allocated_memory_mb", sa.BigInteger(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["node_spec.id"], name=op.f("fk_node_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_node_status")),
    )
    op.create_table(
        "os_release_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["os_release_spec.id"], name=op.f("fk_os_release_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_os_release_status")),
    )
    op.create_table(
        "project_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("user_num", sa.BigInteger(), nullable=False),
        sa.Column("vm_num", sa.BigInteger(), nullable=False),
        sa.Column("used_cpu", sa.BigInteger(), nullable=False),
        sa.Column("used_memory_mb", sa.BigInteger(), nullable=False),
        sa.Column("used_storage_mb", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["project_spec.id"], name=op.f("fk_project_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_status")),
    )
    op.create_table(
        "rack_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("sds_placement_node_id", sa.BigInteger(), nullable=True),
        sa.Column("child_num", sa.BigInteger(), nullable=False),
        sa.Column("node_num", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["rack_spec.id"], name=op.f("fk_rack_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rack_status")),
    )
    op.create_table(
        "role_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["role_spec.id"], name=op.f("fk_role_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role_status")),
    )
    op.create_table(
        "room_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("sds_placement_node_id", sa.BigInteger(), nullable=True),
        sa.Column("child_num", sa.BigInteger(), nullable=False),
        sa.Column("node_num", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["room_spec.id"], name=op.f("fk_room_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_room_status")),
    )
    op.create_table(
        "tree_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("layer_num", sa.BigInteger(), nullable=False),
        sa.Column("allocated_byte", sa.BigInteger(), nullable=False),
        sa.Column("weighed_at", columns.UtcTime(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["tree_spec.id"], name=op.f("fk_tree_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tree_status")),
    )
    op.create_table(
        "user_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("last_login_at", columns.UtcTime(), nullable=True),
        sa.Column("login_failure_num", sa.BigInteger(), nullable=False),
        sa.Column("password_last_update", columns.UtcTime(), nullable=True),
        sa.Column("project_num", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["user_spec.id"], name=op.f("fk_user_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_status")),
    )
    op.create_table(
        "virtual_machine_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("power_state", sa.Text(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=True),
        sa.Column("ip_addresses", sa.Text(), nullable=False),
        sa.Column("uuid", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("graphics_port", sa.BigInteger(), nullable=True),
        sa.Column("spice_port", sa.BigInteger(), nullable=True),
        sa.Column("guest_agent_state", sa.Text(), nullable=True),
        sa.Column("accelerator", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("bios", sa.Text(), nullable=True),
        sa.Column("boot_device_order", sa.Text(), nullable=False),
        sa.Column("socket_num", sa.BigInteger(), nullable=False),
        sa.Column("core_num_per_socket", sa.BigInteger(), nullable=False),
        sa.Column("thread_num_per_core", sa.BigInteger(), nullable=False),
        sa.Column("cpu_num", sa.BigInteger(), nullable=False),
        sa.Column("cpu_mode", sa.Text(), nullable=True),
        sa.Column("cpu_model", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("memory_mb", sa.BigInteger(), nullable=False),
        sa.Column("graphics_auth_enabled", sa.Boolean(), nullable=False),
        sa.Column("graphics_spice_enabled", sa.Boolean(), nullable=False),
        sa.Column("time_zone", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("flattened", sa.Boolean(), nullable=False),
        sa.Column("reboot_num", sa.BigInteger(), nullable=False),
        sa.Column("rollback_num", sa.BigInteger(), nullable=False),
        sa.Column("vm_disk_num", sa.BigInteger(), nullable=False),
        sa.Column("vm_nic_num", sa.BigInteger(), nullable=False),
        sa.Column("vm_cd_rom_num", sa.BigInteger(), nullable=False),
        sa.Column("vm_snap_num", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["virtual_machine_spec.id"], name=op.f("fk_virtual_machine_status_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_virtual_machine_status")),
    )
    op.create_table(
        "vm_cd_rom_snap_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["vm_cd_rom_snap_spec.id"], name=op.f("fk_vm_cd_rom_snap_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_cd_rom_snap_status")),
    )
    op.create_table(
        "vm_cd_rom_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("device", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("inserted", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["vm_cd_rom_spec.id"], name=op.f("fk_vm_cd_rom_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_cd_rom_status")),
    )
    op.create_table(
        "vm_cleanup_job_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("retry_num", sa.BigInteger(), nullable=False),
        sa.Column(
            "error_message", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column("finished_at", columns.UtcTime(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["vm_cleanup_job_spec.id"], name=op.f("fk_vm_cleanup_job_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_cleanup_job_status")),
    )
    op.create_table(
        "vm_disk_cleanup_job_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("retry_num", sa.BigInteger(), nullable=False),
        sa.Column(
            "error_message", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column("finished_at", columns.UtcTime(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["vm_disk_cleanup_job_spec.id"], name=op.f("fk_vm_disk_cleanup_job_status_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_disk_cleanup_job_status")),
    )
    op.create_table(
        "vm_disk_snap_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("allocated_size_byte", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["vm_disk_snap_spec.id"], name=op.f("fk_vm_disk_snap_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_disk_snap_status")),
    )
    op.create_table(
        "vm_disk_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("device", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("serial", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("size_mb", sa.BigInteger(), nullable=False),
        sa.Column("attached", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["vm_disk_spec.id"], name=op.f("fk_vm_disk_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_disk_status")),
    )
    op.create_table(
        "vm_image_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("upload_state", sa.Text(), nullable=False),
        sa.Column("uploaded_byte", sa.BigInteger(), nullable=False),
        sa.Column("size_byte", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("allocated_size_byte", sa.BigInteger(), nullable=False),
        sa.Column("ref_num", sa.BigInteger(), nullable=False),
        sa.Column("problem", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["vm_image_spec.id"], name=op.f("fk_vm_image_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_image_status")),
    )
    op.create_table(
        "vm_migration_job_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("progress", sa.BigInteger(), nullable=False),
        sa.Column("dst_node_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "error_message", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column("finished_at", columns.UtcTime(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["vm_migration_job_spec.id"], name=op.f("fk_vm_migration_job_status_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_migration_job_status")),
    )
    op.create_table(
        "vm_nic_cleanup_job_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("retry_num", sa.BigInteger(), nullable=False),
        sa.Column(
            "error_message", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True
        ),
        sa.Column("finished_at", columns.UtcTime(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["vm_nic_cleanup_job_spec.id"], name=op.f("fk_vm_nic_cleanup_job_status_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_nic_cleanup_job_status")),
    )
    op.create_table(
        "vm_nic_snap_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["vm_nic_snap_spec.id"], name=op.f("fk_vm_nic_snap_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_nic_snap_status")),
    )
    op.create_table(
        "vm_nic_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("device", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("bridge_id", sa.BigInteger(), nullable=True),
        sa.Column("ip_addresses", sa.Text(), nullable=False),
        sa.Column("link_up", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["vm_nic_spec.id"], name=op.f("fk_vm_nic_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_nic_status")),
    )
    op.create_table(
        "vm_scheduling_rule_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("satisfied", sa.Boolean(), nullable=True),
        sa.Column("violating_vm_ids", columns.JsonColumn(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["id"], ["vm_scheduling_rule_spec.id"], name=op.f("fk_vm_scheduling_rule_status_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_scheduling_rule_status")),
    )
    op.create_table(
        "vm_snap_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("cloned_vm_num", sa.BigInteger(), nullable=False),
        sa.Column("ip_addresses", sa.Text(), nullable=False),
        sa.Column("vm_id", sa.BigInteger(), nullable=True),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["vm_snap_spec.id"], name=op.f("fk_vm_snap_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vm_snap_status")),
    )
    op.create_table(
        "vsw_status",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("etag", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("created_at", columns.UtcTime(), nullable=False),
        sa.Column("updated_at", columns.UtcTime(), nullable=False),
        sa.Column("deleted_at", columns.UtcTime(), nullable=True),
        sa.Column("nic_ids", columns.JsonColumn(), nullable=False),
        sa.Column("node_num", sa.BigInteger(), nullable=False),
        sa.Column("br_net_num", sa.BigInteger(), nullable=False),
        sa.Column("irreconcilable", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["vsw_spec.id"], name=op.f("fk_vsw_status_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vsw_status")),
    )


def downgrade() -> None:

    op.drop_table("vsw_status")
    op.drop_table("vm_snap_status")
    op.drop_table("vm_scheduling_rule_status")
    op.drop_table("vm_nic_status")
    op.drop_table("vm_nic_snap_status")
    op.drop_table("vm_nic_cleanup_job_status")
    op.drop_table("vm_migration_job_status")
    op.drop_table("vm_image_status")
    op.drop_table("vm_disk_status")
    op.drop_table("vm_disk_snap_status")
    op.drop_table("vm_disk_cleanup_job_status")
    op.drop_table("vm_cleanup_job_status")
    op.drop_table("vm_cd_rom_status")
    op.drop_table("vm_cd_rom_snap_status")
    op.drop_table("virtual_machine_status")
    op.drop_table("user_status")
    op.drop_table("tree_status")
    op.drop_table("room_status")
    op.drop_table("role_status")
    op.drop_table("rack_status")
    op.drop_table("project_status")
    op.drop_table("os_release_status")
    op.drop_table("node_status")
    op.drop_table("nic_status")
    op.drop_table("label_value_status")
    op.drop_table("label_key_status")
    op.drop_table("l3_net_status")
    op.drop_table("data_center_status")
    op.drop_table("chassis_status")
    op.drop_table("bs_volume_status")
    op.drop_table("bs_snap_status")
    op.drop_table("bs_policy_status")
    op.drop_table("bridge_status")
    op.drop_table("br_net_status")
    op.drop_table("br_net_ns_status")
    with op.batch_alter_table("work", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_work_due_at",
            sqlite_where=sa.text("due_at IS NOT NULL"),
            postgresql_where=sa.text("due_at IS NOT NULL"),
        )

    op.drop_table("work")
    with op.batch_alter_table("vsw_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_vsw_spec_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_vsw_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vsw_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vsw_spec")
    op.drop_table("volume_type_traits")
    op.drop_table("volume_type_access")
    with op.batch_alter_table("volume_transfer", schema=None) as batch_op:
        batch_op.drop_index("ix_volume_transfer_project_id")

    op.drop_table("volume_transfer")
    with op.batch_alter_table("volume_traits", schema=None) as batch_op:
        batch_op.drop_index("ix_volume_traits_group_uuid")

    op.drop_table("volume_traits")
    with op.batch_alter_table("volume_recycled", schema=None) as batch_op:
        batch_op.drop_index("ix_volume_recycled_project_id")
        batch_op.drop_index("ix_volume_recycled_expires_at")

    op.drop_table("volume_recycled")
    op.drop_table("volume_recycle_policy")
    op.drop_table("volume_qos")
    op.drop_table("volume_message_dismissed")
    op.drop_table("volume_limits")
    op.drop_table("volume_job")
    op.drop_table("volume_group_type")
    with op.batch_alter_table("volume_group_snapshot", schema=None) as batch_op:
        batch_op.drop_index("ix_volume_group_snapshot_project_id")
        batch_op.drop_index("ix_volume_group_snapshot_group_uuid")

    op.drop_table("volume_group_snapshot")
    with op.batch_alter_table("volume_group", schema=None) as batch_op:
        batch_op.drop_index("ix_volume_group_project_id")

    op.drop_table("volume_group")
    op.drop_table("volume_default_type")
    with op.batch_alter_table("volume_attachment", schema=None) as batch_op:
        batch_op.drop_index("ix_volume_attachment_volume_id")
        batch_op.drop_index("ix_volume_attachment_project_id")

    op.drop_table("volume_attachment")
    with op.batch_alter_table("vm_snap_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_vm_snap_spec_vm_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_snap_spec_vm_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_snap_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_snap_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_snap_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_snap_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_snap_spec")
    with op.batch_alter_table("vm_scheduling_rule_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_vm_scheduling_rule_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_scheduling_rule_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_scheduling_rule_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_scheduling_rule_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_scheduling_rule_spec")
    with op.batch_alter_table("vm_nic_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_vm_nic_spec_mac_address",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_spec_vm_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_spec_vm_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_spec_br_net_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_spec_br_net_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_nic_spec")
    with op.batch_alter_table("vm_nic_snap_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_vm_nic_snap_spec_vm_snap_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_snap_spec_vm_snap_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_snap_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_snap_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_snap_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_snap_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_nic_snap_spec")
    with op.batch_alter_table("vm_nic_cleanup_job_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_vm_nic_cleanup_job_spec_vm_nic_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_cleanup_job_spec_vm_nic_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_cleanup_job_spec_vm_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_cleanup_job_spec_vm_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_cleanup_job_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_cleanup_job_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_cleanup_job_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_nic_cleanup_job_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_nic_cleanup_job_spec")
    with op.batch_alter_table("vm_migration_job_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_vm_migration_job_spec_vm_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_migration_job_spec_vm_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_migration_job_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_migration_job_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_migration_job_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_migration_job_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_migration_job_spec")
    with op.batch_alter_table("vm_image_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_vm_image_spec_vm_snap_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_image_spec_vm_snap_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_image_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_image_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_image_spec_os_release_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_image_spec_os_release_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_image_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_image_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_image_spec_bs_snap_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_image_spec_bs_snap_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_image_spec_bs_policy_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_image_spec_bs_policy_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_image_spec")
    with op.batch_alter_table("vm_disk_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_vm_disk_spec_bs_volume_id",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_spec_vm_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_spec_vm_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_spec_bs_volume_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_spec_bs_volume_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_disk_spec")
    with op.batch_alter_table("vm_disk_snap_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_vm_disk_snap_spec_vm_snap_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_snap_spec_vm_snap_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_snap_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_snap_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_snap_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_snap_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_snap_spec_bs_snap_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_snap_spec_bs_snap_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_disk_snap_spec")
    with op.batch_alter_table("vm_disk_cleanup_job_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_vm_disk_cleanup_job_spec_vm_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_cleanup_job_spec_vm_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_cleanup_job_spec_vm_disk_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_cleanup_job_spec_vm_disk_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_cleanup_job_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_cleanup_job_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_cleanup_job_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_disk_cleanup_job_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_disk_cleanup_job_spec")
    with op.batch_alter_table("vm_cleanup_job_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_vm_cleanup_job_spec_vm_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cleanup_job_spec_vm_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cleanup_job_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cleanup_job_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cleanup_job_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cleanup_job_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_cleanup_job_spec")
    with op.batch_alter_table("vm_cd_rom_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_vm_cd_rom_spec_vm_image_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_spec_vm_image_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_spec_vm_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_spec_vm_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_cd_rom_spec")
    with op.batch_alter_table("vm_cd_rom_snap_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_vm_cd_rom_snap_spec_vm_snap_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_snap_spec_vm_snap_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_snap_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_snap_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_snap_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_vm_cd_rom_snap_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("vm_cd_rom_snap_spec")
    with op.batch_alter_table("virtual_machine_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_virtual_machine_spec_vm_snap_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_virtual_machine_spec_vm_snap_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_virtual_machine_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_virtual_machine_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_virtual_machine_spec_os_release_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_virtual_machine_spec_os_release_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_virtual_machine_spec_node_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_virtual_machine_spec_node_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_virtual_machine_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_virtual_machine_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("virtual_machine_spec")
    with op.batch_alter_table("user_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_user_spec_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_user_spec_role_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_user_spec_role_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_user_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_user_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("user_spec")
    with op.batch_alter_table("used_signature", schema=None) as batch_op:
        batch_op.drop_index("ix_used_signature_expires_at")

    op.drop_table("used_signature")
    with op.batch_alter_table("tree_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_tree_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_tree_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("tree_spec")
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_index("ix_token_user_id")
        batch_op.drop_index("ix_token_expires_at")

    op.drop_table("token")
    with op.batch_alter_table("snapshot_traits", schema=None) as batch_op:
        batch_op.drop_index("ix_snapshot_traits_group_snapshot_uuid")

    op.drop_table("snapshot_traits")
    op.drop_table("setting")
    op.drop_table("rsa_key")
    with op.batch_alter_table("room_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_room_spec_data_center_id_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_room_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_room_spec_data_center_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_room_spec_data_center_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_room_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("room_spec")
    with op.batch_alter_table("role_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_role_spec_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_role_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_role_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("role_spec")
    with op.batch_alter_table("rack_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_rack_spec_room_id_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_rack_spec_room_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_rack_spec_room_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_rack_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_rack_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("rack_spec")
    with op.batch_alter_table("project_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_project_spec_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_project_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_project_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("project_spec")
    with op.batch_alter_table("os_release_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_os_release_spec_distribution_version_arch",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_os_release_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_os_release_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("os_release_spec")
    with op.batch_alter_table("node_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_node_spec_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_node_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_node_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_node_spec_chassis_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_node_spec_chassis_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_node_spec_admin_ip",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("node_spec")
    with op.batch_alter_table("nic_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_nic_spec_node_id_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_nic_spec_vsw_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_nic_spec_vsw_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_nic_spec_node_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_nic_spec_node_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_nic_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_nic_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("nic_spec")
    with op.batch_alter_table("membership", schema=None) as batch_op:
        batch_op.drop_index("ix_membership_user_id")

    op.drop_table("membership")
    with op.batch_alter_table("machine_part", schema=None) as batch_op:
        batch_op.drop_index("ix_machine_part_vm_id")

    op.drop_table("machine_part")
    op.drop_table("machine_memory")
    op.drop_table("login_record")
    with op.batch_alter_table("layer_name", schema=None) as batch_op:
        batch_op.drop_index("ix_layer_name_tree_id")
        batch_op.drop_index("ix_layer_name_layer")

    op.drop_table("layer_name")
    with op.batch_alter_table("layer_gone", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_layer_gone_look_at"))

    op.drop_table("layer_gone")
    with op.batch_alter_table("layer", schema=None) as batch_op:
        batch_op.drop_index("ix_layer_tree_id")
        batch_op.drop_index("ix_layer_parent")

    op.drop_table("layer")
    with op.batch_alter_table("label_value_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_label_value_spec_label_key_id_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_label_value_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_label_value_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_label_value_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_label_value_spec_label_key_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_label_value_spec_label_key_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_label_value_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("label_value_spec")
    with op.batch_alter_table("label_key_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_label_key_spec_project_id_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_label_key_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_label_key_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_label_key_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_label_key_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("label_key_spec")
    with op.batch_alter_table("label_attachment", schema=None) as batch_op:
        batch_op.drop_index("ix_label_attachment_label_value_id")

    op.drop_table("label_attachment")
    with op.batch_alter_table("l3_net_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_l3_net_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_l3_net_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_l3_net_spec_br_net_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_l3_net_spec_br_net_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("l3_net_spec")
    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_event_resource_type_resource_id"))
        batch_op.drop_index(batch_op.f("ix_event_project_id_created_at"))
        batch_op.drop_index(batch_op.f("ix_event_created_at"))

    op.drop_table("event")
    with op.batch_alter_table("data_center_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_data_center_spec_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_data_center_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_data_center_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("data_center_spec")
    with op.batch_alter_table("chassis_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_chassis_spec_rack_id_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_chassis_spec_rack_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_chassis_spec_rack_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_chassis_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_chassis_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("chassis_spec")
    with op.batch_alter_table("bs_volume_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_bs_volume_spec_vm_image_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_volume_spec_vm_image_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_volume_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_volume_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_volume_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_volume_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_volume_spec_bs_snap_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_volume_spec_bs_snap_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_volume_spec_bs_policy_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_volume_spec_bs_policy_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("bs_volume_spec")
    with op.batch_alter_table("bs_snap_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_bs_snap_spec_vm_snap_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_snap_spec_vm_snap_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_snap_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_snap_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_snap_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_snap_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_snap_spec_bs_volume_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_snap_spec_bs_volume_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_snap_spec_bs_policy_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_snap_spec_bs_policy_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("bs_snap_spec")
    with op.batch_alter_table("bs_policy_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_bs_policy_spec_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_policy_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bs_policy_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("bs_policy_spec")
    with op.batch_alter_table("bridge_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_bridge_spec_vsw_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bridge_spec_vsw_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bridge_spec_node_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bridge_spec_node_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bridge_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bridge_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bridge_spec_br_net_id_node_id",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bridge_spec_br_net_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_bridge_spec_br_net_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("bridge_spec")
    with op.batch_alter_table("br_net_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_br_net_spec_vsw_id_vlan_id",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "uq_br_net_spec_project_id_name",
            sqlite_where=sa.text("deletion_begin IS NULL"),
            postgresql_where=sa.text("deletion_begin IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_spec_vsw_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_spec_vsw_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_spec_project_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_spec_project_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_spec_l3_net_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_spec_l3_net_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("br_net_spec")
    with op.batch_alter_table("br_net_ns_spec", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_br_net_ns_spec_node_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_ns_spec_node_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_ns_spec_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_ns_spec_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_ns_spec_br_net_id_node_id",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_ns_spec_br_net_id_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_br_net_ns_spec_br_net_id_created_at",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("br_net_ns_spec")
    with op.batch_alter_table("audit_log", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_log_user_id_created_at"))
        batch_op.drop_index(
            "ix_audit_log_running",
            sqlite_where=sa.text("status = 'running'"),
            postgresql_where=sa.text("status = 'running'"),
        )
        batch_op.drop_index("ix_audit_log_resource")
        batch_op.drop_index(batch_op.f("ix_audit_log_project_id_created_at"))
        batch_op.drop_index(batch_op.f("ix_audit_log_created_at"))

    op.drop_table("audit_log")
    with op.batch_alter_table("application_credential", schema=None) as batch_op:
        batch_op.drop_index("uq_application_credential_user_id_name")

    op.drop_table("application_credential")
    with op.batch_alter_table("access_key", schema=None) as batch_op:
        batch_op.drop_index("ix_access_key_user_id")

    op.drop_table("access_key")
