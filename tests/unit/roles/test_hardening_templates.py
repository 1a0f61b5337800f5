"""What the roles base and accounts write: modules that are never loaded, and limits."""

from pathlib import Path

from tests.unit.roles.rendering import render


def test_each_denied_module_can_be_loaded_neither_by_device_nor_by_name(tmp_path: Path) -> None:
    values = {"base_denied_kernel_modules": ["dccp", "usb-storage"]}
    text = render("base", "modprobe.conf.j2", tmp_path, values).read_text()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "blacklist dccp",
        "install dccp /bin/false",
        "blacklist usb-storage",
        "install usb-storage /bin/false",
    ]


def test_core_dumps_are_forbidden_unless_asked_for(tmp_path: Path) -> None:
    text = render("accounts", "limits.conf.j2", tmp_path).read_text()
    assert "* hard core 0\nroot hard core 0\n" in text
    asked = render("accounts", "limits.conf.j2", tmp_path, {"accounts_core_dumps": True}).read_text()
    assert "core 0" not in asked
