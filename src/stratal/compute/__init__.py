"""Virtual machines: definitions that hypervisors carry out.

`domain` says what a machine is, as plain data; `drivers` make it run (QEMU under libvirt, memory).
"""
