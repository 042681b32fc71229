"""The regression guard of CI: counts what fixed scenarios do instead of how long they take.

tally      instructions, calls into C, decodes, deltas, generations and memory of one step
scenarios  what is counted
expected   the numbers that it should be, and what grew
command    `python -m bench counts`
"""
