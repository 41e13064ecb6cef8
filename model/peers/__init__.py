"""Other people's whole systems beside ours, for speed only: a plain loop as one writes it first, a published network at its size."""
