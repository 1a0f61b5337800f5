"""Tests that need a kernel of their own: a virtual machine in qemu's emulation. VIRTUAL=1 asks for them."""
