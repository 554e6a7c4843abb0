#!/usr/bin/env bash
# The cluster's steps on one machine, with the environment that a Kubernetes
# Indexed Job gives its pods: plan, 5 indices of which two are killed once, merge.
#
#   deploy/local.sh DATASET OUT [PIPA-PLAN-FLAGS…]
set -euo pipefail
data=${1:?usage: local.sh DATASET OUT} out=${2:?usage: local.sh DATASET OUT}
shift 2
indices=5 retries=6

pipa plan pairs --source "cityscapes:$data" --unlabelled "$@" --out "$out.plan.json" --force --progress never

# attempt INDEX KILL: one pod's life; with KILL it ends as soon as it has begun
# to write.
attempt() {
  JOB_COMPLETION_INDEX=$1 PIPA_SHARDS=$indices pipa precompute --plan "$out.plan.json" --out "$out" --progress never 2>>"$out.log" &
  local pid=$!
  if [[ $2 == kill ]]; then
    while kill -0 $pid 2>/dev/null && ! compgen -G "$out/.tmp-*" >/dev/null; do sleep 0.001; done
    kill -KILL $pid 2>/dev/null || true
  fi
  wait $pid
}

# run INDEX: the retries that the Job's podFailurePolicy describes.
run() {
  local kill="" code
  [[ $1 == 1 || $1 == 3 ]] && kill=kill
  for ((try = 0; try <= retries; try++)); do
    code=0
    attempt "$1" "$kill" || code=$?
    kill=""
    echo "index $1, try $try: exit code $code"
    case $code in
      0) return 0 ;;
      2 | 3) return $code ;; # final
    esac
  done
  return 1
}

# Two at a time.
failed=0
for ((index = 0; index < indices; index++)); do
  while (($(jobs -rp | wc -l) >= 2)); do wait -n || failed=1; done
  run $index &
done
while (($(jobs -rp | wc -l) > 0)); do wait -n || failed=1; done
((failed == 0)) || { echo "an index has failed; see $out.log" >&2; exit 1; }
pipa merge "$out" --progress never
