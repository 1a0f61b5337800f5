"""Feishu (Lark): events by webhook, replies by the open platform's API."""

PLATFORM = "feishu"
