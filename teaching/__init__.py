"""For teachers: notebooks without answers, and marks for those that come back."""
