"""SynthHome: rendered clips of people and things in rooms with exact truth. Knows no network and no service."""
