"""Tokens: the proof of a login, for a project or for none."""
