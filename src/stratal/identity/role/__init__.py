"""Roles: what a user may do, everywhere or in a project. Seeded, read-only."""
