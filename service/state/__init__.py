"""What outlives a process: desired streams, stream state, alerts, policies, in Redis."""
