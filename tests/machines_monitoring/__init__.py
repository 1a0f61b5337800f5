"""The monitoring of a deployed machine, from outside: what watches it, and what reaches the chats."""
