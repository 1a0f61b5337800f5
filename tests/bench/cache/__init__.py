"""``make bench-cache``: cached answers of the API beside a plain handler with one look-up."""
