#!/usr/bin/env bash
# All tasks in stages on real text, small enough for two CPU cores: the three biomedical corpora and the open clinical suite,
# 500 training and 400 dev and test examples per task, two seeds. The results are in notebooks/real_stages.
#
# Makes  results/biomedical and results/open-clinical: stages.csv, stages_other_metrics.csv, stages_scores.csv
# Needs  the original distributions below $1 (bc5cdr, ddi2013, chemprot, ehr-rel, lct, rqe), and the encoder's folder $2
# Usage  jobs/readme_stages.sh RAW ENCODER [--dry-run]
set -euo pipefail

raw=${1:?folder that holds bc5cdr/, ddi2013/, chemprot/, ehr-rel/, lct/ and rqe/}
encoder=${2:?folder of the encoder}
data=${TASKAFFINITY_DATA:-data}
shift 2

for corpus in bc5cdr ddi2013 chemprot ehr-rel lct rqe; do
  taskaffinity data prepare "$corpus" --raw "$raw/$corpus" --out "$data"
done
for domain in biomedical open-clinical; do
  taskaffinity full --domain "$domain" --data "$data" --encoder "$encoder" --seeds 2 \
    --set optimizer=adamw --set learning_rate=1e-4 --set batch_size=8 --set precision=none --set num_train_epochs=5 \
    --set negatives_per_positive=2 --set max_train_examples=500 --set max_eval_examples=400 \
    --set finetune.learning_rate=5e-5 --set finetune.num_train_epochs=3 "$@"
done
