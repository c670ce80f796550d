#!/usr/bin/env bash
# The study of the paper's Figure 2: which tasks of a domain help each other.
#
# Makes  results/clinical and results/biomedical: edges.csv, affinity.png, ...; and prints the paper's claims beside
#        the verdicts
# Needs  task files in $TASKAFFINITY_DATA (`taskaffinity data prepare ...`; the clinical corpora need agreements) and the
#        two BlueBERT encoders, as folders or from the model hub.
# Cost   per domain and seed 4 single-task runs and 6 pairs; not yet timed on a GPU. Run the same command again to continue,
#        for example after a time limit. Exits with 1 if any run failed,
#        and at once with another code if a study is refused or interrupted.
# Usage  jobs/figure2_pairwise.sh [more options of `taskaffinity pairwise`, such as --gpus-per-run 0.5]
set -euo pipefail

: "${TASKAFFINITY_DATA:?set TASKAFFINITY_DATA to the folder of the task files}"
if [[ " $* " == *" --results"[=\ ]* ]]; then
  echo "$0: --results is set by this script; run it in another folder instead" >&2
  exit 2
fi

failed=0
for domain in clinical biomedical; do
  status=0
  taskaffinity pairwise --domain "$domain" --data "$TASKAFFINITY_DATA" --seeds 3 --results "results/$domain" "$@" || status=$?
  if [[ $status -gt 1 ]]; then
    exit "$status" # refused or interrupted
  fi
  failed=$((failed | status))
  if [[ " $* " != *" --dry-run "* ]]; then
    taskaffinity table figure2 "results/$domain" || failed=1
  fi
done
exit "$failed"
