"""What runs: snapshots, live values, the writer, and `open_config`."""
