"""The parts of a model that compute the same in less time and memory; `model.fuse` puts them in place."""
