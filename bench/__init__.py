"""Programs that measure reactive_config, run from the checkout: `python -m bench --help`."""
