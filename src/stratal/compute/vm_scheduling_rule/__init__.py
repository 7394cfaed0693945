"""Rules of which virtual machines run together, and where."""
