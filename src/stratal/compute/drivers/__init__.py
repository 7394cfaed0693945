"""What runs machines: one contract, and the drivers that meet it.

Nothing but the composition root and a driver's own tests import a concrete driver; everything else knows
`contract` and `errors` only.
"""
