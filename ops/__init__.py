"""pyinfra over the Ansible inventory: a host with no Python, and quick looks at the fleet."""
