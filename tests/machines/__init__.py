"""Throwaway machines: systemd containers reached over SSH, as a bare server would be."""
