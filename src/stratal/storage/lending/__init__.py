"""Volumes while running guests have them open: who may touch their layers then, and how."""
