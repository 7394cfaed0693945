"""Subnets of networks."""
