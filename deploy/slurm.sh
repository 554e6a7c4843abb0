#!/usr/bin/env bash
# Crop pairs of Cityscapes on a Slurm cluster: plan once, make the shards in an
# array of 64 tasks, merge. Submit all three steps with
#
#   deploy/slurm.sh /scratch/cityscapes /scratch/pairs
#
# To change: the #SBATCH lines below for your cluster, and the arguments of "pipa
# plan". The bytes do not depend on the number of tasks.
set -euo pipefail

tasks=64
data=${1:?usage: slurm.sh DATASET OUT} out=${2:?usage: slurm.sh DATASET OUT}

plan=$(sbatch --parsable --job-name=pipa-plan --cpus-per-task=4 --mem=4G --time=2:00:00 --wrap \
  "pipa plan pairs --source cityscapes:$data --unlabelled --epochs 4 --shards 256 --out $out.plan.json --force --progress never")

# Slurm sets SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT; pipa reads them. Exit
# code 1 (a full disk, a lost connection), and those above 128 (a kill, a crash), are
# put back into the queue, where the finished shards are passed over; 2 and 3 (a wrong command line, bad or changed
# inputs) are final.
shards=$(sbatch --parsable --job-name=pipa-precompute --dependency="afterok:$plan" --array="0-$((tasks - 1))" \
  --cpus-per-task=4 --mem=2G --time=8:00:00 --requeue --open-mode=append <<EOF
#!/usr/bin/env bash
pipa precompute --plan $out.plan.json --out $out --progress never
code=\$?
if [[ ( \$code == 1 || \$code -gt 128 ) && \${SLURM_RESTART_COUNT:-0} -lt 6 ]]; then
  scontrol requeue "\${SLURM_ARRAY_JOB_ID}_\${SLURM_ARRAY_TASK_ID}"
fi
exit \$code
EOF
)

sbatch --job-name=pipa-merge --dependency="afterok:$shards" --cpus-per-task=1 --mem=1G --time=2:00:00 --wrap \
  "pipa merge $out --progress never"
