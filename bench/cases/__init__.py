"""The grid: every module here that has `CASES` takes part."""
