"""Floor 1: etcd's RPCs over connections that fail clearly. The only room that imports aetcd and grpc.

Importing `settings`, `errors`, `ranges`, `messages` and `probe` loads neither; everything else does, so a source
imports it when it runs.
"""
