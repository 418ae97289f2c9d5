"""What people said to models and what these answered: kept, found, written out, and deleted to the last byte."""
