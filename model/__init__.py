"""What the network is, how it learns and how it is scored. Knows neither engines nor service."""
