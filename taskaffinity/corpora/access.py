"""Corpora under data use agreements: where to apply for access, and which files each distribution holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """How to obtain a corpus that is not openly available."""

    title: str
    ask: str
    """Where and how to apply for access."""
    files: tuple[str, ...]
    """Files and folders of the distribution, relative to the raw folder."""


AGREEMENTS: dict[str, Agreement] = {
    "i2b2-2010-re": Agreement(
        "i2b2/VA 2010, concepts and relations",
        "n2c2 data use agreement, signed by each user: https://n2c2.dbmi.hms.harvard.edu/data-sets "
        "(DBMI Data Portal, Harvard Medical School)",
        (
            "concept_assertion_relation_training_data/{beth,partners}/{txt,concept,rel}/",
            "test_data/",
            "reference_standard_for_test_data/{concepts,rel}/",
        ),
    ),
    "shareclefe": Agreement(
        "ShARe/CLEF eHealth 2013, task 1",
        "PhysioNet, credentialed access (training in human research, signed agreement): "
        "https://physionet.org/content/shareclefehealth2013/1.0/",
        (
            "Task1TrainSetCorpus199/ALLREPORTS/",
            "Task1TrainSetGOLD199knowtatorehost/ALLSAVED/",
            "Task1TestSetCorpus100/ALLREPORTS/",
            "Task1Gold_SN2012/Gold_SN2012/",
        ),
    ),
    "mednli": Agreement(
        "MedNLI 1.0.0",
        "PhysioNet, credentialed access (training in human research, signed agreement): "
        "https://physionet.org/content/mednli/1.0.0/",
        ("mli_train_v1.jsonl", "mli_dev_v1.jsonl", "mli_test_v1.jsonl"),
    ),
    "clinicalsts": Agreement(
        "ClinicalSTS 2018 (MedSTS)",
        "Mayo Clinic data use agreement, by the organisers of BioCreative/OHNLP 2018 task 2; no longer openly offered",
        ("clinicalSTS.train.txt", "clinicalSTS.test.txt", "clinicalSTS.test.gs.sim.txt"),
    ),
}
