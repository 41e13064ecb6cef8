"""Sub-commands of `vigil` that need the model. Each module: `add_arguments(parser)`, `run(args) -> exit status`."""
