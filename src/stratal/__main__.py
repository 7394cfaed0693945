"""`python -m stratal` is the `stratal` command."""

from stratal.cli import main

main()
