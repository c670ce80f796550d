#!/usr/bin/env bash
# The README's example of a real study: BC5CDR, DDI and ChemProt with a six-layer encoder, cut to what two CPU cores can
# do in about an hour.
#
# Makes  results/biomedical (a copy without predictions is in notebooks/example_results)
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
taskaffinity pairwise --domain biomedical --data "$data" --encoder "$encoder" --seeds 3 \
  --set optimizer=adamw --set learning_rate=3e-4 --set num_train_epochs=5 \
  --set max_train_examples=800 --set max_eval_examples=500
