"""Training with torch and transformers; ``execute`` is the entry point.

The module limits two kernel caches before it imports torch, unless the environment sets them. On a CPU, oneDNN and
torch compile bf16 products for each shape and cache up to 1,024 of them. Every mini-batch has another number of tokens,
so an unlimited cache grows by about 0.6 MiB per shape. A cache of 32 entries serves one mini-batch, whose layers share
shapes.
"""

import os

for _cache in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
    os.environ.setdefault(_cache, "32")
