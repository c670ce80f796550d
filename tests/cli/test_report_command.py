"""``taskaffinity report`` and ``compare`` by the command line, and the page in a browser where there is one."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import command

sys.path.insert(0, str(Path(__file__).parents[1] / "analysis"))
from fake_studies import fill, latent_counts, make_study

from taskaffinity.runs.recipe import REFINE

BROWSER = shutil.which("chromium")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Studies ``one`` and ``two`` of the same tasks, and ``other``; ``stages`` is of another design."""
    root = tmp_path_factory.mktemp("studies")
    for name, tasks, seeds in (("one", "abc", (0, 1, 2)), ("two", "abc", (5, 6, 7)), ("other", "abd", (0, 1, 2))):
        study = make_study(list(tasks), seeds=seeds, synthetic=True)
        study.write(root / name)
        fill(study, root / name, latent_counts({("a", "b"): 0.6}))
    make_study(list("abc"), design="full", finetune=dict.fromkeys("abc", REFINE)).write(root / "stages")
    return root


def test_report_writes_the_page_and_says_where(folders: Path, tmp_path: Path) -> None:
    made = command("report", "one", cwd=folders)
    assert made.returncode == 0, made.stderr
    assert made.stdout.split() == [str(Path("one") / "report.html")]
    assert "SYNTHETIC" in made.stderr
    elsewhere = command("report", str(folders / "one"), "--out", str(tmp_path / "new" / "page.html"), cwd=tmp_path)
    assert elsewhere.returncode == 0, elsewhere.stderr
    assert (tmp_path / "new/page.html").read_bytes() == (folders / "one/report.html").read_bytes()


def test_compare_prints_a_table_and_csv(folders: Path) -> None:
    text = command("compare", "one", "two", cwd=folders)
    assert text.returncode == 0, text.stderr
    assert "first: one, second: two" in text.stdout
    assert "seeds per pair: first 0 1 2, second 5 6 7" in text.stdout
    rows = list(csv.DictReader(command("compare", "one", "two", "--format=csv", cwd=folders).stdout.splitlines()))
    assert len(rows) == 6
    assert all(float(row["low"]) < float(row["change"]) < float(row["high"]) for row in rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "nowhere"], "no such folder"),
        (["report", "one", "--out", "two"], "--out two: a folder"),
        (
            ["report", "one", "--margin=pearson=2"],
            "taskaffinity: --margin pearson=2: no task of the study is scored by it",
        ),
        (
            ["compare", "one", "two", "--margin=pearson=2"],
            "taskaffinity: --margin pearson=2: no task of the study is scored by it",
        ),
        (
            ["table", "edges", "one", "--margin=pearson=2"],
            "taskaffinity: --margin pearson=2: no task of the study is scored by it",
        ),
        (
            ["graph", "one", "--margin=pearson=2"],
            "taskaffinity: --margin pearson=2: no task of the study is scored by it",
        ),
        (["compare", "one", "nowhere"], "no such folder"),
        (["compare", "stages", "one"], "stages: holds a study in stages and none of pairs"),
        (["compare", "one", "./one"], "the same folder"),
        (["compare", "one", "other"], "different tasks: only the first has c; only the second has d"),
    ],
)
def test_refusals_are_one_line(arguments: list[str], said: str, folders: Path) -> None:
    before = sorted(folders.rglob("*"))
    refused = command(*arguments, cwd=folders)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert said in refused.stderr
    assert sorted(folders.rglob("*")) == before


def browse(page: Path) -> subprocess.CompletedProcess[str]:
    """The page's elements after its scripts, what it said on the console, and ``net.json`` beside it."""
    assert BROWSER
    alone = ["--host-resolver-rules=MAP * ~NOTFOUND", "--no-first-run", f"--user-data-dir={page.parent / 'profile'}"]
    log = ["--enable-logging=stderr", f"--log-net-log={page.parent / 'net.json'}", "--virtual-time-budget=2000"]
    asked = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", *alone, *log, "--dump-dom", page.as_uri()]
    return subprocess.run(asked, capture_output=True, text=True, check=True, timeout=120)


PROBE = """<script>
document.body.style.width = "390px";
document.body.dataset.wide = document.body.scrollWidth;
const press = () => document.querySelector("#arrows th[data-column=gain] button").click();
const gains = () => [...document.querySelectorAll("#arrows tbody tr")].map(row => row.cells[3].dataset.value);
press(); document.body.dataset.up = gains(); press(); document.body.dataset.down = gains();
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="NO BROWSER: the page was not opened; put `chromium` on PATH to test it")
def test_in_a_browser_the_page_fits_a_phone_sorts_and_asks_for_nothing(folders: Path, tmp_path: Path) -> None:
    made = command("report", str(folders / "one"), "--out", "page.html", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    page = tmp_path / "page.html"
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", PROBE), encoding="utf-8")
    seen = browse(page)
    assert "CONSOLE" not in seen.stderr, seen.stderr
    sizes = dict(re.findall(r'data-(wide|up|down)="([^"]*)"', seen.stdout))
    assert int(sizes["wide"]) <= 390
    up, down = ([float(value) for value in sizes[name].split(",")] for name in ("up", "down"))
    assert up == sorted(up)
    assert down == up[::-1]
    events = json.loads((tmp_path / "net.json").read_text(encoding="utf-8"))["events"]
    asked = [event.get("params", {}) for event in events]
    by_pages = [one["url"] for one in asked if one.get("initiator", "not an origin") != "not an origin"]
    assert not [url for url in by_pages if not url.startswith(("file:", "data:"))]  # the browser's own have no origin
