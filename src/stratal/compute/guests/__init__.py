"""What the reconciler of virtual machines does with the guest of one: its definition, disks, devices.

Each module does one of these; `virtual_machine.reconcile` says when.
"""
