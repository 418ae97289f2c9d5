"""One run in several processes: their places, what they share, and the Trainer that they are."""
