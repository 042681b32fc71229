"""What tells that something may have changed."""
