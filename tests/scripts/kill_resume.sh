#!/usr/bin/env bash
# Kills a training run N times at random, resumes it to its end, and compares it with a run that was left alone.
#
#   tests/scripts/kill_resume.sh build/release/deepgen 20
#
# Ends with 0 when all tensors are equal to the bit and every epoch is in the learning curve once.
set -euo pipefail

program=$(readlink -f "${1:?usage: $0 PROGRAM [KILLS]}")
kills=${2:-20}
epochs=1500
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

train() {  # folder of the run, more arguments
  local out=$1
  shift
  exec "$program" train rbm --data bars_and_stripes:train=2000,valid=100,test=100 --out "$out" --seed 3 --threads 1 \
    --quiet --set model.hidden=12 training.batch=10 training.momentum=0.5 training.average=0.99 \
    training.epochs=$epochs training.schedule=linear "$@"
}

epochs_done() { if [ -f "$folder/killed/metrics.jsonl" ]; then wc -l <"$folder/killed/metrics.jsonl"; else echo 0; fi; }

# The tensors as they lie in the file, and what the header says of them: all but the metadata, which hold a clock.
tensors() {  # checkpoint
  local size
  size=$(od -An -t u8 -N 8 "$1" | tr -d ' ')
  head -c $((8 + size)) "$1" | tail -c "$size" | grep -o '"[a-z_.]*":{"d[^}]*}' | sort
  tail -c +$((9 + size)) "$1" | sha256sum
}

killed=0
for ((sitting = 1; killed < kills; ++sitting)); do
  train "$folder/killed" --resume &
  process=$!
  wait_ms=$((RANDOM % 900 + 100))
  sleep "$(printf '0.%03d' $((wait_ms % 1000)))"
  if kill -KILL "$process" 2>/dev/null; then killed=$((killed + 1)); fi
  code=0
  wait "$process" 2>/dev/null || code=$?
  echo "sitting $sitting: after $wait_ms ms, exit code $code, $killed of $kills kills, $(epochs_done) of $epochs epochs"
  case $code in
    137) ;;
    0) echo "the run ended before it could be killed $kills times; $killed kills it is" && break ;;
    *) echo "the run failed with exit code $code" && exit 1 ;;
  esac
done

(train "$folder/killed" --resume)
(train "$folder/whole")
failed=0
if diff <(tensors "$folder/killed/model.safetensors") <(tensors "$folder/whole/model.safetensors"); then
  echo "tensors: equal to the bit after $killed kills"
else
  echo "tensors: DIFFERENT" && failed=1
fi
if diff <(grep -o '"epoch":[0-9]*' "$folder/killed/metrics.jsonl") <(seq -f '"epoch":%.0f' $epochs) >"$folder/curve"; then
  echo "learning curve: every epoch once"
else
  echo "learning curve: epochs missing (>) or surplus (<)" && cat "$folder/curve" && failed=1
fi
exit $failed
