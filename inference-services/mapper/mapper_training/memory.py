"""How much memory this process has held."""

import resource


def peak_bytes(device: str) -> int:
    """Return the most memory that this process has held so far: of the GPU, else resident (Linux counts it in KiB)."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
