#!/usr/bin/env bash
# Continued pre-training on the training texts of the biomedical tasks, and what it changes: the study of
# readme_stages.sh again with the encoder that came of it, and its gains over the first (the layout of Table 5).
#
# Makes  further (the encoder), results/biomedical-further, and the table
# Needs  what readme_stages.sh made and needs: task files in TASKAFFINITY_DATA (data), results/biomedical, the encoder $1
# Usage  jobs/readme_pretrain.sh ENCODER
set -euo pipefail

encoder=${1:?folder of the encoder}
data=${TASKAFFINITY_DATA:-data}

taskaffinity pretrain --encoder "$encoder" --out further --epochs 1 --learning-rate 1e-4 --max-length 64 \
  --text "$data/bc5cdr-disease/train.jsonl" --text "$data/chemprot/train.jsonl" --text "$data/ddi2013-type/train.jsonl"
taskaffinity full --domain biomedical --data "$data" --encoder further --results results/biomedical-further --seeds 2 \
  --set optimizer=adamw --set learning_rate=1e-4 --set batch_size=8 --set num_train_epochs=5 \
  --set negatives_per_positive=2 --set max_train_examples=500 --set max_eval_examples=400 \
  --set finetune.learning_rate=5e-5 --set finetune.num_train_epochs=3
taskaffinity table 5 results/biomedical results/biomedical-further
