"""The assistant's engine beside the servers that people use today: same file, same threads, same prompts."""
