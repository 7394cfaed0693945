"""Block-storage policies: where volumes are kept, how much of it, and how fast they may be."""
