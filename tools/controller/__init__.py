"""What the machine that runs Ansible and the tests (the controller) needs, and how it gets it."""
