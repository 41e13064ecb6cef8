"""Workers and the engine process of one machine: streams are owned here."""
