"""Floor 1: bytes to tree, with positions for people.

`registry` is the door: `parse`, `parse_value` and `locate`. Each format reads text in one file and
finds places in another, because reading is hot and finding is rare.
"""
