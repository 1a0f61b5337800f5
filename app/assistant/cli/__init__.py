"""What operators ask on the command line: one module for each command of ``python -m assistant``."""
