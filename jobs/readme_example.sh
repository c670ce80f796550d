#!/usr/bin/env bash
# A study of real text that two CPU cores train in 72 minutes: BC5CDR, DDI and ChemProt with a six-layer encoder,
# 700 training and 400 dev and test examples per task, drawn once. It keeps two negatives per positive pair, because
# with all six of DDI, single-task runs on so few examples often predict the negative class only. The results are in
# notebooks/real_example.
#
# Makes  results/biomedical
# Needs  the three original distributions below $1, and the encoder's folder $2
# Usage  jobs/readme_example.sh RAW ENCODER
set -euo pipefail

raw=${1:?folder that holds bc5cdr/, ddi2013/ and chemprot/}
encoder=${2:?folder of the encoder}
data=${TASKAFFINITY_DATA:-data}

for corpus in bc5cdr ddi2013 chemprot; do
  taskaffinity data prepare "$corpus" --raw "$raw/$corpus" --out "$data"
done
taskaffinity data check "$data"
taskaffinity pairwise --domain biomedical --data "$data" --encoder "$encoder" --seeds 3 --seeds-single 3 \
  --set optimizer=adamw --set learning_rate=1e-4 --set batch_size=8 --set precision=none --set num_train_epochs=5 \
  --set negatives_per_positive=2 --set max_train_examples=700 --set max_eval_examples=400
