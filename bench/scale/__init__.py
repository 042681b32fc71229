"""What a fleet costs etcd, computed by a small model and checked against measured points."""
