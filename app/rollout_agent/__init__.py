"""The host's side of a grey release: care for the candidate's container, promotion, and clearing away.

Runs with the distribution's Python and its standard library alone, as a systemd service beside Docker.
"""
