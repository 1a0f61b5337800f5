"""A rollout on a deployed machine, through its playbook: promoted or not, and rolled back for each fault."""
