"""Block storage: every disk is a path through a graph of layers.

`layers` decides (pure functions over the graph), `drivers` carry out (qcow2 files, Ceph RBD, memory).
"""
