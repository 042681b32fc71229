"""Pools and clients that follow a live value: one file for each library."""
