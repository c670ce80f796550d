"""The compute wing: the only home of torch and transformers. Its door is ``execute``.

Before torch is imported, two of its caches are cut, unless the environment says otherwise. Products in 16 bits are
compiled on a CPU for each shape they meet; oneDNN keeps 1,024 of them, torch above it as many, and every mini-batch has
a number of word pieces of its own: a process grew by .6 MiB a shape. What either keeps stays alive, so both are cut, to
what a mini-batch needs: its layers have shapes in common.
"""

import os

for _cache in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
    os.environ.setdefault(_cache, "32")
