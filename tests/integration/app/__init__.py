"""The assistant as a real process: gunicorn, a database, the emulated platforms, a tiny model."""
