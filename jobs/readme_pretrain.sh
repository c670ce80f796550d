#!/usr/bin/env bash
# Continued pre-training on training texts of the biomedical corpora. Then both tasks of BC5CDR, with 300 training
# examples, are trained with the original and with the new encoder. The results are in notebooks/real_pretraining.
#
# Makes  further (the encoder), results/bc5cdr with one folder per encoder, and a table
# Needs  a checkout whose data/ holds the task files of bc5cdr, ddi2013 and chemprot; the encoder's folder $1
# Usage  jobs/readme_pretrain.sh ENCODER
set -euo pipefail

encoder=$(realpath "${1:?folder of the encoder}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

taskaffinity pretrain --encoder "$encoder" --out further --epochs 1 --learning-rate 1e-4 --max-length 64 \
  --batch-size 16 --max-passages 2000 \
  --text data/bc5cdr-disease/train.jsonl --text data/chemprot/train.jsonl --text data/ddi2013-type/train.jsonl
taskaffinity full --suite jobs/bc5cdr.yaml --encoders "$encoder,further" --seeds 3 \
  --set optimizer=adamw --set learning_rate=1e-4 --set batch_size=8 --set precision=none --set num_train_epochs=4 \
  --set max_train_examples=300 --set max_eval_examples=300 \
  --set finetune.learning_rate=5e-5 --set finetune.num_train_epochs=2
