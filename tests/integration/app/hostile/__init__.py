"""Generated hostile requests: none may be answered with 5xx, end in a traceback, or be kept unproven."""
