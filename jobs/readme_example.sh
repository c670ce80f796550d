#!/usr/bin/env bash
# A real study, cut to what two CPU cores can do in about 80 minutes: BC5CDR, DDI and ChemProt with a six-layer encoder,
# 1,000 training and 400 dev and test examples a task, drawn once. (Small batches, for DDI and ChemProt need some 400
# updates before they leave "all false"; no dropout and a long warm-up, for without them some seeds stay there.)
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
  --set optimizer=adamw --set learning_rate=1e-4 --set batch_size=8 --set num_train_epochs=5 --set warmup_ratio=0.3 \
  --set encoder_dropout=0 --set head_dropout=0 --set max_train_examples=1000 --set max_eval_examples=400
