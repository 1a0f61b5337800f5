"""pyinfra's inventory, read from Ansible's: ``pyinfra ops/inventory.py ...``.

AI_ASSISTANT_INVENTORY names one or more Ansible inventories, separated by colons or commas.
"""

from __future__ import annotations

from ops import ansible_inventory as _ansible_inventory

try:
    globals().update(_ansible_inventory.groups_from_environment())
except _ansible_inventory.InventoryError as _error:
    raise SystemExit(f"ops/inventory.py: {_error}") from None
