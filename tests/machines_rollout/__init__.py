"""A rollout on a deployed machine, through its playbook: promoted, not promoted, and every way to be rolled back."""
