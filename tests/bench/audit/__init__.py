"""What independent auditors say of the deployed machine."""
