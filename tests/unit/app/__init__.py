"""Tests of the assistant's modules, one by one."""
