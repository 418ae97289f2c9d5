"""PyTorch's pickles: read by a confined process only, and written anew as safetensors."""
