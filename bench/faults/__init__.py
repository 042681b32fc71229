"""The robustness harness: real etcds broken at random while every write and every sight is recorded.

history   what was written, what was seen (plain data)
timeline  the states that etcd had, from the writes
checker   the promises, as a pure function of the two
shape     keys, configuration and states
writers   transactions, and which of them happened
followers open configurations that record what they see
stage     the servers, proxies and what is done to them
recorder  where the writers account for what they did
fault_schedule   which fault comes next
run       one run; report: its table
"""
