"""reactive_config."""
