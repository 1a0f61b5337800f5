"""Reads the Logstash pipelines in files/logstash and runs their filters: an interpreter of our own.

It is not Logstash, which no registry that this project is built from has. It takes the grammar of
Logstash's configuration language, the options of the plugins as their documentation gives them, and only
those plugins and options whose meaning is written down here; whatever else a pipeline says is refused.
"""
