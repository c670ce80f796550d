#!/usr/bin/env bash
# A real study, cut to what two CPU cores can do in 72 minutes: BC5CDR, DDI and ChemProt with a six-layer encoder,
# 700 training and 400 dev and test examples a task, drawn once. Two negatives are kept for each positive pair: with the
# six of DDI's training part, single runs on 700 to 1,000 examples often never left "all false" (DDI alone, micro-F1 on
# test: .31, .15, .09; so .24, .47, .41). What it found is in notebooks/real_example.
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
