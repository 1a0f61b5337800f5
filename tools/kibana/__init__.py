"""Makes files/kibana/objects.ndjson: the data view, the saved searches and the dashboard of the logs."""
