"""Changes of a whole config that keep it sound: what is offered depends on where the cursor stands."""
