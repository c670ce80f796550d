#!/usr/bin/env bash
# A study of real text for two CPU cores: the four open clinical tasks with a six-layer encoder, 800 training examples
# per task and whole test splits. Placebos and positive controls are on. The results are in notebooks/real_open_clinical.
#
# Makes  results/open-clinical
# Needs  the original distributions below $1 (ehr-rel, lct, rqe), and the encoder's folder $2
# Usage  jobs/real_open_clinical.sh RAW ENCODER [--dry-run]
set -euo pipefail

raw=${1:?folder that holds ehr-rel/, lct/ and rqe/}
encoder=${2:?folder of the encoder}
data=${TASKAFFINITY_DATA:-data}
shift 2

for corpus in ehr-rel lct rqe; do
  taskaffinity data prepare "$corpus" --raw "$raw/$corpus" --out "$data"
done
taskaffinity pairwise --domain open-clinical --data "$data" --encoder "$encoder" --seeds 3 --controls \
  --set optimizer=adamw --set learning_rate=1e-4 --set batch_size=8 --set precision=bf16 --set num_train_epochs=5 \
  --set negatives_per_positive=2 --set max_train_examples=800 --set max_dev_examples=1000 "$@"
