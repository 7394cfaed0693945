"""The client's commands, one module for each group. What takes long to import, they import when called."""
