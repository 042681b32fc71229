"""What is put in force and what is held."""
