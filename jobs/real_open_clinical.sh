#!/usr/bin/env bash
# Two studies of real text for two CPU cores, with a six-layer encoder and whole test splits. The first has the four open
# clinical tasks, 800 training examples per task, 5 epochs and 3 seeds per pair. The second has the two tasks of Leaf
# Clinical Trials (LCT), 1,600 examples, 10 epochs and 4 other seeds. Placebos and positive controls are on. Then the gains
# of the first study are estimated by two probes per arrow, and compared with the estimates. The results are in
# notebooks/real_open_clinical and notebooks/real_lct.
#
# Makes  results/open-clinical and results/lct
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
settings=(--domain open-clinical --data "$data" --encoder "$encoder" --set optimizer=adamw --set precision=bf16
  --set negatives_per_positive=2 --set max_dev_examples=1000)
first=(--seeds 3 --set learning_rate=1e-4 --set batch_size=8 --set num_train_epochs=5 --set max_train_examples=800)
taskaffinity pairwise "${settings[@]}" "${first[@]}" --controls "$@"
taskaffinity pairwise "${settings[@]}" --seeds 4 --tasks lct-condition,lct-relation --base-seed 200 --results results/lct \
  --set learning_rate=2e-4 --set batch_size=16 --set num_train_epochs=10 --set max_train_examples=1600 --controls "$@"
taskaffinity estimate "${settings[@]}" "${first[@]}" --budget 22% --baselines "$@"
[[ $* == *--dry-run* ]] || taskaffinity estimate --validate --results results/open-clinical
