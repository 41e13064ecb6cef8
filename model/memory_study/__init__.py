"""What a stream's memory adds: ways of remembering beside each other on the same clips, steps and seeds."""
