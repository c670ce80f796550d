"""Small valid files of every format: what ``fuzz.py`` starts from. All text is invented."""

from __future__ import annotations

import json
from collections.abc import Sequence

_KEYS = ("text", "text_pair", "label", "document")
_ROWS = [[f"red {n}", "cake", "ab"[n % 2], f"d{n}"] for n in range(4)]
_SCORES = [[f"red {n}", "cake", str(n), f"d{n}"] for n in range(3)]
_OBJECTS = [dict(zip(_KEYS, row, strict=True)) for row in _ROWS]
_NUMBERS = [{"id": f"i{n}", "text": "red", "text_pair": "cake", "label": n / 2} for n in range(3)]
_LABELLED = [{"id": f"i{n}", **row} for n, row in enumerate(_OBJECTS)]
_SPLITS = ("train", "validation", "test")
_SENTENCES = [{"tokens": ["red", "horse"], "ner_tags": ["O", "B-a"]}] * 2
_TAGGED = {"id": "w", "words": ["red", "horse"], "tags": ["O", "B-a"]}
_MARKED = {"id": "m", "text": "red horse", "entities": [{"start": 4, "end": 9, "label": "Animal"}]}
_PASSAGE = {
    "offset": 0,
    "text": "red horse",
    "annotations": [{"infons": {"type": "Animal"}, "text": "horse", "locations": [{"offset": 4, "length": 5}]}],
}
_TASKS = [dict.fromkeys(("name", "title", "fingerprint"), name) for name in "ab"]
_STUDY = {
    "suite": "s",
    "tasks": [{**task, "kind": "inference", "metric": "accuracy", "sizes": {"train": 9}} for task in _TASKS],
    "encoder": {"name": "e", "fingerprint": "f"},
    "recipe": {"num_train_epochs": 2},
    "seeds": [0, 1],
}
_CARD = {"kind": "ner", "labels": ["a"], "counts": {"train": {"rows": 1, "counted": 1, "labels": {"a": 1}}}}
_NLI = {"gold_label": "neutral", "pairID": "p", "sentence1": "red", "sentence2": "blue"}
_BLUE_WORDS = "red\td1\t0\tO\nhorse\t-\t4\tB\n\nblue\td1\t12\tO\n"
_DDI = (
    '<document id="d"><sentence id="s" text="red horse"><entity id="e1" charOffset="0-2" type="drug" text="red"/>'
    '<entity id="e2" charOffset="4-8" type="brand" text="horse"/>'
    '<pair id="p" e1="e1" e2="e2" ddi="true" type="effect"/></sentence></document>'
)
_KNOWTATOR = (
    '<a><annotation><mention id="m"/><span start="4" end="9"/><spannedText>horse</spannedText></annotation>'
    '<classMention id="m"><mentionClass id="Disease_Disorder"/></classMention></a>'
)
_EHR_COLUMNS = (
    "snomed_id_1 snomed_label_1 snomed_id_2 snomed_label_2 rater_A rater_B rater_C rater_D rater_E mean_rating "
    "CUI_1 CUI_2"
)


def _lines(rows: list[object]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def _tables(separator: str) -> list[str]:
    return ["\n".join(separator.join(row) for row in [list(_KEYS), *rows]) for rows in (_ROWS, _SCORES)]


def _predictions(labels: Sequence[str]) -> str:
    """A table of two runs of one target on two examples."""
    rows = [f"a,{source},0,i{n},{labels[n]},{labels[0]},d" for source in ("", "b") for n in range(2)]
    return "\n".join(["target,source,seed,id,gold,predicted,document", *rows])


_ASKED = {"id": "q", "question": "red", "is_impossible": False, "answers": [{"text": "horse", "answer_start": 2}]}


def _article(name: str) -> dict[str, object]:
    return {"title": name, "paragraphs": [{"context": "a horse", "qas": [{**_ASKED, "id": name}]}]}


def _document(name: str, relation: str, *, apart: bool = False) -> dict[str, object]:
    """A document in BigBIO's schema, with two mentions and a relation; perhaps in two passages."""
    texts = ["red horse.", "Blue cake runs"] if apart else ["red horse. Blue cake runs"]
    passages, at = [], 0
    for text in texts:
        passages.append({"id": "p", "type": "title", "text": [text], "offsets": [[at, at + len(text)]]})
        at += len(text) + 1
    return {
        "document_id": name,
        "passages": passages,
        "entities": [
            {"id": "a", "type": "Animal", "text": ["horse"], "offsets": [[4, 9]]},
            {"id": "b", "type": "Colour", "text": ["red"], "offsets": [[0, 3]]},
            {"id": "c", "type": "Cake", "text": ["Blue", "runs"], "offsets": [[11, 15], [21, 25]]},
        ],
        "relations": [
            {"id": "r", "type": relation, "arg1_id": "b", "arg2_id": "a"},
            {"id": "s", "type": "has", "arg1_id": "c", "arg2_id": "a"},
        ],
    }


SEEDS: dict[str, list[str]] = {
    "json": [
        _lines([*_OBJECTS]),
        _lines([*_NUMBERS]),
        _lines([{**row, "id": None} for row in _NUMBERS]),
        _lines([*_LABELLED]),
        _lines([*_SENTENCES]),
        _lines([_TAGGED]),
        _lines([_CARD]),
        _lines([_NLI]),
        _lines(
            [{"id": str(n), "text": "red horse", "label": label} for n, label in enumerate((["a"], [], ["a", "b"]))]
        ),
        _lines([{"text": "red", "options": ["cake", "horse"], "label": label} for label in ("A", 1, "cake")]),
        _lines([{"text": "red", "choices": {"text": ["cake", "horse"], "label": ["1", "2"]}, "label": "2"}]),
        _lines([{"id": "o", "text": "red", "options": ["cake", "horse"], "label": "B"}]),
        _lines([{"question": "red", "context": "a horse", "answers": {"text": ["horse"], "answer_start": [2]}}]),
        _lines([{"text": "red", "text_pair": "a horse", "label": label} for label in ("horse", ["a"], [])]),
        _lines([{"id": "s", "text": "red", "text_pair": "a horse", "label": ["2:7"]}]),
        _lines([{"data": [{"title": "red", "paragraphs": [{"context": "a horse", "qas": [_ASKED]}]}]}]),
        _lines([{"v": 1, **{split: [{**row, "id": f"{split}{row['id']}"} for row in _LABELLED] for split in _SPLITS}}]),
        json.dumps({key: {n: row[key] for n, row in enumerate(_LABELLED)} for key in _LABELLED[0]}),
        _lines([{split: [_article(split)] for split in _SPLITS}]),
    ],
    "csv": [
        *_tables(","),
        'text,options,label\nred,"[""cake"", ""horse""]",A\n',
        "text,text_pair,label\nred,a horse,horse\n",
        'text,label\n"red ""x""\nhorse",a\nx,a\ny,b\nz,b\n',
        "text,options,label,of\nred,cake,1,q\nred,horse,0,q\nblue,cake,0,r\nblue,horse,1,r\n",
    ],
    "tsv": [
        *_tables("\t"),
        'text\toptions\tlabel\nred\t["cake", "horse"]\tA\n',
        "text\ttext_pair\tlabel\nred\ta horse\thorse\n",
        'text\tlabel\n"red\nhorse"\ta\n"x\ta\nb\tb\n"c"\tb\n',
        "index\tsentence\tlabel\nd.s1.p1\tred horse\tDDI-false\n",
        "index\tsentence\tscore\n0\tred horse\t1.5\n1\tblue horse\t2.0\n",
        "index\tsentence1\tsentence2\tlabel\np\tred\tblue\tneutral\n",
        "index\tsentence1\tsentence2\tscore\n1\tred\tblue\t2.5\n",
        "index\tsentence\tlabel\n1.T1.T2\tred horse\tCPR:3\n",
        "index\tsentence\tlabel\np\tred horse\tPIP\n",
        "sentence\tlabel\n" + "".join(f"red {n}\t{'ab'[n % 2]}\n" for n in range(4)),
        "sentence1\tsentence2\tscore\n" + "".join(f"red {n}\tblue\t{n % 2}\n" for n in range(4)),
        _BLUE_WORDS,
    ],
    "conll": [
        "-DOCSTART- O\n\nred O\nhorse B-a\nand O\n\n-DOCSTART- O\n\ncake I-a\n\nred O\n",
        "# sent_id = 1\n1-2\tredhorse\t_\n1\tred\tO\n2\thorse\tB-a\n\n1\tcake\tB-a\n",
        _BLUE_WORDS,
    ],
    "brat": [
        "red horse and blue cake\n\0T1\tAnimal 4 9\thorse\nT2\tCake 14 18;19 23\tblue cake\n"
        "E1\tAnimal:T1\nR1\tHas Arg1:E1 Arg2:T2\n",
        "red horse and blue cake\n\0T1\tAnimal 4 9\thorse\nT2\tColour 14 18\tblue\nR1\tUsing Arg1:T1 Arg2:T2\n",
    ],
    "xml": [
        _DDI,
        '<?xml version="1.0" encoding="UTF-8"?><a><pair pid="1" value="true"><chq>red</chq><faq>blue</faq></pair></a>',
        _KNOWTATOR,
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    ],
    "yaml": [
        "name: s\ntasks:\n  a: {kind: classification, path: .}\n  b:\n    kind: classification\n"
        "    path: {train: train.csv}\n    dev: 20%\n    test: 20%\n    labels: [a, b]\n"
        "    columns: {text: text}\n    title: B\n",
        "name: s\ntasks:\n  a: {kind: classification, path: ., max_length: 64, long: truncate}\n  b:\n"
        "    kind: classification\n    path: .\n    max_length: 512\n    long: windows\n    stride: 128\n"
        "    pool: max\n    windowed: text_pair\n",
        "name: s\ntasks:\n  a: {kind: classification, path: .}\n"
        "  b: {kind: ner, path: ., long: windows, max_words: none}\n",
        "learning_rate: 0.003\nbatch_size: 32\nfinetune:\n  num_train_epochs: 3\n",
        "a: &a [x]\nb: [*a, *a]\n",
    ],
    "lines": [
        "1|t|red horse\n1|a|blue cake\n1\t0\t3\tred\tDisease\tD1\n1\tCID\tC1\tD1\n\n",
        "1\tred horse\tblue cake\n\x001\tT1\tCHEMICAL\t0\t3\tred\n1\tT2\tGENE-Y\t4\t9\thorse\n"
        "\x001\tCPR:3\tArg1:T1\tArg2:T2\n",
        "red\tblue\t2.5\nx\ty\t1\n\0red\tblue\n\x001.5\n",
        _EHR_COLUMNS.replace(" ", "\t") + "\n1\tred\t2\tblue\t1\t1\t1\t1\t1\t1.5\tC1\tC2\n",
        'red horse runs\n\0c="red" 1:0 1:0||t="problem"\nc="horse" 1:1 1:1||t="test"\n'
        '\0c="horse" 1:1 1:1||r="TeRP"||c="red" 1:0 1:0\n',
        "n||Disease_Disorder||C1||4||9\n",
        "a\nb\n",
        "red horse runs.\nblue cake.\n\0 < Inducing angiogenesis--x AND Cellular energetics < NULL ",
    ],
    "mentions": [
        _lines([_MARKED]),
        _lines([{**_MARKED, "entities": [[4, 9, "Animal"]]}]),
        "1|t|red horse\n1|a|blue cake\n1\t4\t9\thorse\tAnimal\tD1\n1\t10\t14\tblue\tColour\tD2\n\n",
        "<collection><document><id>d</id><passage><offset>0</offset><text>red horse</text>"
        '<annotation id="1"><infon key="type">Animal</infon><location offset="4" length="5"/><text>horse</text>'
        "</annotation></passage></document></collection>",
        json.dumps({"documents": [{"id": "d", "passages": [_PASSAGE]}]}),
        "# global.columns = ID FORM NER\n1-2\tredhorse\t_\n1\tred\tO\n2\thorse\tB-a\n\n1\tcake\tB-a\n",
        "text,labels\nred,a|b\nblue,\ngreen,b\nwhite,a\n",
        "text,label\nred,0.5\nblue,2\ngreen,1e1\n",
    ],
    "tables": [
        "target,source,seed,score\na,,0,0.5\na,b,0,0.75\na,,1,0.5\na,b,1,0.25\nb,,0,1\n",
        "target,source,seed,score,test_set,synthetic\na,,0,50,x,true\na,b,0,75.5,x,true\n",
        *(_predictions(labels) for labels in ("xy", ("B-a O", "O O"), "12", ("x|y", ""))),
        "target,source,seed,id,gold,predicted,counts\n"
        + "".join(
            f"a,{source},0,i{n},,,accuracy={n} 1;macro_f1=0 0 0 1 0 0\n" for source in ("", "b") for n in range(2)
        ),
        "task,fact,of,value\na,title,,A\na,kind,,ner\na,size,train,9\na,used,train,5\na,long,train,0.5\n"
        "a,max_length,,128\na,undertrained,climbing,3\na,leak,b,leak: 5 texts of a test also in b train\n",
        "id\tsaid\ttext_pair\ni\tred\tblue\n",
        'id,said,text_pair\ni,red,"bl\nue"\n',
        "source,target,probe,se,low,high,sign,source_learned\na,b,8,1,6.355,57.87,positive,true\n"
        "b,a,1,1,-3.87,15.87,unclear,true\nc,a,,,,,,\na,c,,,,,,\nb,c,,,,,,\nc,b,,,,,,\n",
        json.dumps(_STUDY),
        json.dumps({**_STUDY, "design": "train"}),
        '{"gpu": "H", "trial": "0f", "sharing": {"rates": {"1": 100.0, "2": 180}, "mps": true}}',
        "encoder,task,score\n",
    ],
    "bigbio": [
        _lines([_document(f"d{n}", "has", apart=n > 1) for n in range(4)]),
        _lines([_document(f"d{n}", ("has", "likes")[n % 2], apart=n > 1) for n in range(4)]),
    ],
    "fasttext": [
        "__label__a red horse\n__label__b blue cake\n__label__a green\n__label__b white\n",
        "__label__a __label__b red horse\nblue cake\n\ngreen __label__a\n__label__b white\n",
    ],
}
"""Reader -> its files. A NUL separates the files of a document."""
