#!/usr/bin/env bash
# Two studies of named entities in real text for two CPU cores: two corpora of diseases, one of chemicals and one of
# anatomy, with a six-layer encoder, 300 training sentences and up to 2,000 test sentences per task. The first study has
# 3 seeds per pair, placebos and positive controls. The second is a sequential design of at most 5 other seeds. Then the
# gains of the second study are estimated by two probes per arrow, and compared with the estimates. The results are in
# notebooks/real_ner and notebooks/real_ner_sequential.
#
# Makes  data/ner (the corpora, with one type of entity per task), results/ner and results/ner-sequential
# Needs  the original distributions below $1: ncbi (NCBItrainset_corpus.txt, NCBIdevelopset_corpus.txt and
#        NCBItestset_corpus.txt), bc5cdr (CDR_*Set.PubTator.txt) and anatem/standoff (train, devel, test); and the
#        encoder's folder $2
# Usage  jobs/real_ner.sh RAW ENCODER [--dry-run]
set -euo pipefail

raw=$(cd "${1:?folder that holds ncbi/, bc5cdr/ and anatem/}" && pwd)
encoder=$(cd "${2:?folder of the encoder}" && pwd)
shift 2
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mkdir -p data/ner/ncbi data/ner/bc5cdr
one_type='BEGIN {FS = OFS = "\t"} {if (NF >= 5) $5 = "Disease"; print}' # NCBI's four types of diseases are one here
for split in train:train dev:develop test:test; do
  awk "$one_type" "$raw/ncbi/NCBI${split#*:}set_corpus.txt" > "data/ner/ncbi/${split%:*}.txt"
done
for split in train:Training dev:Development test:Test; do
  cp "$raw/bc5cdr/CDR_${split#*:}Set.PubTator.txt" "data/ner/bc5cdr/${split%:*}.txt"
done
for split in train:train dev:devel test:test; do
  folder=data/ner/anatem/${split%:*}
  mkdir -p "$folder"
  cp "$raw/anatem/standoff/${split#*:}/"*.txt "$folder"
  for file in "$raw/anatem/standoff/${split#*:}/"*.ann; do
    sed 's/^\(T[0-9]*\t\)[^ ]* /\1Anatomy /' "$file" > "$folder/$(basename "$file")" # twelve types are one
  done
done
settings=(--suite jobs/real_ner.yaml --encoder "$encoder" --seeds 3 --set optimizer=adamw --set learning_rate=2e-4
  --set batch_size=8 --set precision=bf16 --set num_train_epochs=8 --set max_train_examples=300
  --set max_dev_examples=300 --set max_eval_examples=2000)
second=(--base-seed 100 --results results/ner-sequential)
taskaffinity pairwise "${settings[@]}" --controls --results results/ner "$@"
taskaffinity pairwise "${settings[@]}" "${second[@]}" --sequential --max-seeds 5 "$@"
taskaffinity estimate "${settings[@]}" "${second[@]}" --budget 20% --baselines "$@"
[[ $* == *--dry-run* ]] || taskaffinity estimate --validate --results results/ner-sequential
