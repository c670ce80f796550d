"""Which of my NLP tasks help each other, which hurt, and how sure are we?

Rooms, from the bottom up: ``tasks`` (what is learned), ``corpora`` (original distributions to task files),
``runs`` (what to train, what was found), then two wings that do not know each other, ``training`` (torch) and
``analysis`` (numpy, pandas, networkx), and on top ``schedule`` and ``cli``. Importing this package loads none of
torch, transformers or ray.
"""

from importlib.metadata import version

__version__ = version("taskaffinity")
