"""Application credentials: by which a program logs in for a user, in one project."""
