"""What is measured while a run trains, what is made of it, and what is done about it."""
