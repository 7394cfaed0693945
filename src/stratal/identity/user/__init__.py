"""Users: who may log in."""
