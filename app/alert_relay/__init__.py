"""Posts Alertmanager's notifications into Feishu and Telegram chats, apart from the assistant and Docker.

It runs with the distribution's Python (3.9 and newer), Flask (1.1 and newer), gunicorn, httpx (0.16 and
newer) and prometheus_client, and imports nothing of the assistant: an assistant that is down must still be
announced.
"""
