"""Floor 1: paths, deltas, layers, typed decode, snapshots, the stream and the runtime."""
