#!/usr/bin/env bash
# Two studies of real text for two CPU cores, with a six-layer encoder, 1,000 training examples and 2,000 test examples
# per task. The first has BC5CDR (diseases and chemicals), ChemProt and DDI 2013, 5 epochs and 3 seeds per pair. The second
# has the two relation tasks, ChemProt and DDI, with 10 epochs and 4 other seeds. Placebos and positive controls are on. The
# results are in notebooks/real_biomedical and notebooks/real_relations.
#
# Makes  results/biomedical and results/relations
# Needs  the original distributions below $1 (bc5cdr, ddi2013, chemprot), and the encoder's folder $2
# Usage  jobs/real_biomedical.sh RAW ENCODER [--dry-run]
set -euo pipefail

raw=${1:?folder that holds bc5cdr/, ddi2013/ and chemprot/}
encoder=${2:?folder of the encoder}
data=${TASKAFFINITY_DATA:-data}
shift 2

for corpus in bc5cdr ddi2013 chemprot; do
  taskaffinity data prepare "$corpus" --raw "$raw/$corpus" --out "$data"
done
settings=(--domain biomedical --data "$data" --encoder "$encoder" --controls --set optimizer=adamw
  --set learning_rate=2e-4 --set batch_size=16 --set precision=bf16 --set negatives_per_positive=2
  --set max_train_examples=1000 --set max_dev_examples=400 --set max_eval_examples=2000)
taskaffinity pairwise "${settings[@]}" --set num_train_epochs=5 --seeds 3 "$@"
taskaffinity pairwise "${settings[@]}" --set num_train_epochs=10 --seeds 4 --tasks ddi2013-type,chemprot \
  --base-seed 200 --results results/relations "$@"
