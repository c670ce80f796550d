#!/usr/bin/env bash
# The paper's Table 3: the four biomedical tasks in single-task training, in multi-task training, and fine-tuned one by one.
#
# Makes  results/biomedical: stages.csv, stages_scores.csv; and prints the table with the paper's rows
# Needs  task files in $TASKAFFINITY_DATA (`taskaffinity data prepare ...`)
#        and the BlueBERT encoder, from the model hub or as a folder (--encoder).
# Cost   per seed 4 single-task runs, one run of all tasks and 4 fine-tunings; not yet timed on a GPU. Run the same command again to continue.
# Runs   --protocol honest, the default: dev selects epochs, and test is scored once. To follow the paper's released code,
#        add --protocol paper, and --baseline paper-single for the recipes of its single-task models. The departures of
#        the protocol from that code are printed last.
# Usage  jobs/table3_biomedical.sh [more options of `taskaffinity full`, such as --gpus-per-run 0.5 or --dry-run]
set -euo pipefail

: "${TASKAFFINITY_DATA:?set TASKAFFINITY_DATA to the folder of the task files}"
if [[ " $* " == *" --results"[=\ ]* ]]; then
  echo "$0: --results is set by this script; run it in another folder instead" >&2
  exit 2
fi

status=0
taskaffinity full --domain biomedical --data "$TASKAFFINITY_DATA" --seeds 3 --results results/biomedical "$@" || status=$?
if [[ $status -le 1 && " $* " != *" --dry-run "* ]]; then
  taskaffinity table departures results/biomedical || status=1
fi
exit "$status"
