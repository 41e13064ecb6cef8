"""How the network runs: one Protocol, several backends. Knows the model, not the service."""
