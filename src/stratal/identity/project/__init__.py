"""Projects: the tenants. Every resource of a project-scoped kind belongs to one."""
