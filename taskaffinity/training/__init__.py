"""The compute wing: the only home of torch and transformers. Its door is ``execute``."""

import os

# oneDNN, which multiplies in 16 bits, keeps a compiled product for each shape it meets, 1,024 by default, and every
# mini-batch has a number of word pieces of its own: a process of six layers had grown by 0.7 GiB between
# 20 updates and 100, so by 0.3.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
