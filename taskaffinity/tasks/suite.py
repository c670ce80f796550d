"""A suite: the tasks that one study compares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from taskaffinity.errors import InputError, meant, shown
from taskaffinity.tasks.splits import differ_in_case
from taskaffinity.tasks.task import Kind, Task


@dataclass(frozen=True)
class Suite:
    """Tasks that are studied together."""

    name: str
    tasks: tuple[Task, ...]
    synthetic: bool = False
    """True if the text is synthetic. Every output then says so."""

    def __post_init__(self) -> None:
        names = [task.name for task in self.tasks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"suite {self.name}: {', '.join(twice)} is listed twice")
        if one := differ_in_case(name for task in self.tasks for name in task.test_sets):
            raise InputError(
                f"suite {self.name}: found the test sets {' and '.join(one)}; expected names that differ in more than "
                "case, because figures are named after them"
            )

    @classmethod
    def from_datasets(
        cls, datasets: Mapping[str, tuple[Any, ...]], name: str = "mine", *, needs_test: bool = True
    ) -> Suite:
        """Make a suite from data sets in memory.

        Rows pass the same checks as the rows of a suite file. Equal rows give equal task fingerprints, so a study of
        the same data finds its finished runs.

        Parameters
        ----------
        datasets : mapping of str to tuple
            Task name -> ``(data, columns)`` or ``(data, columns, options)``.

            ``data`` maps split names to rows: a ``datasets.DatasetDict``, or any mapping of split name to an iterable
            of row mappings. The splits are ``train``, ``dev`` (or ``validation``) and ``test``.

            ``columns`` maps fields to column names. Classification, relation, regression and multilabel need ``text``
            and ``label``; inference, similarity and spans need ``text_pair`` too, choice needs ``options`` too; ner
            needs ``words`` and ``tags``. ``id`` and ``document`` are optional. Common column names (``sentence1``,
            ``premise``, ``tokens``, ``ner_tags``) need no entry.

            ``options`` are keys of a suite file: ``kind``, ``labels``, ``negative``, ``metric``, ``title``, ``splits``
            (split -> its name in ``data``), ``dev`` or ``test`` as a share of the training split, such as ``"10%"``,
            for choice ``options`` (columns of the options), and for long texts ``max_length``, ``max_words``, ``long``,
            ``stride``, ``pool`` and ``windowed``. Without ``kind``, it follows from the columns. A column of tags is
            ner; options are choice; a column ``answers`` is spans; labels that are lists are multilabel; two texts are
            similarity with a float label, else inference; one text is regression with a float label, else
            classification.
        name : str
            Name of the suite and of its results folder.
        needs_test : bool
            Whether a task without a test part is refused. If not, ``train`` scores its dev part.

        Returns
        -------
        Suite
            All examples are read and checked.

        Raises
        ------
        InputError
            At the first fault: one line with the task, the split and the row.

        Examples
        --------
        >>> reviews = [{"review": "good", "stars": 1}, {"review": "bad", "stars": 0}] * 2
        >>> pairs = [{"premise": "a", "hypothesis": "b", "label": label} for label in ("yes", "no")] * 2
        >>> suite = Suite.from_datasets({
        ...     "reviews": (dict.fromkeys(("train", "dev", "test"), reviews), {"text": "review", "label": "stars"}),
        ...     "pairs": (dict.fromkeys(("train", "dev", "test"), pairs), {}),
        ... })
        >>> [(task.name, task.kind, task.labels) for task in suite]
        [('reviews', 'classification', ('0', '1')), ('pairs', 'inference', ('no', 'yes'))]
        """
        from taskaffinity.tasks.user.in_memory import read_datasets  # imported here because it loads the YAML readers

        return cls(name, read_datasets(datasets, name, needs_test=needs_test))

    def scored_by(self, metrics: Mapping[Kind, str]) -> Suite:
        """Return the suite with other official metrics, by kind of task.

        Tasks of other kinds keep theirs.

        The metric of a task is part of its fingerprint.
        """
        tasks = (replace(task, metric_name=metrics[task.kind]) if task.kind in metrics else task for task in self.tasks)
        return replace(self, tasks=tuple(tasks))

    def only(self, names: str | Sequence[str], least: int = 1) -> Suite:
        """Return the suite with only the named tasks, in the order of this suite.

        Parameters
        ----------
        names : str or sequence of str
            Names of tasks; a text separates them by commas.
        least : int
            Smallest number of tasks.

        Raises
        ------
        InputError
            If a task does not exist, or fewer than ``least`` are named.

        Examples
        --------
        >>> from taskaffinity import load_suite
        >>> [task.name for task in load_suite("clinical").only("mednli,clinicalsts")]
        ['clinicalsts', 'mednli']
        """
        words = names.split(",") if isinstance(names, str) else list(names)
        asked = dict.fromkeys(str(word).strip() for word in words)
        known = [task.name for task in self.tasks]
        for name in asked:
            if name not in known:
                there = f"there are {', '.join(known)}{meant(name, known)}"
                raise InputError(f"--tasks {shown(name)}: no such task in suite {self.name}; {there}")
        if len(asked) < least:
            raise InputError(f"--tasks: found {len(asked)} of {', '.join(known)}; expected {least} or more")
        return replace(self, tasks=tuple(task for task in self.tasks if task.name in asked))

    def __iter__(self) -> Iterator[Task]:
        return iter(self.tasks)

    def __len__(self) -> int:
        return len(self.tasks)

    def __getitem__(self, name: str) -> Task:
        for task in self.tasks:
            if task.name == name:
                return task
        raise KeyError(f"no task {name!r} in suite {self.name}; there are {', '.join(t.name for t in self.tasks)}")
