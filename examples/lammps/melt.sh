#!/bin/bash
# Runs in.melt, which stands beside this script, on all nodes of the job.
set -euo pipefail

# Ranks may outnumber the cores they get: then they must neither be pinned to one
# nor spin while they wait for each other.
export OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_mpi_yield_when_idle=1

echo "job $SLURM_JOB_ID: $SLURM_NTASKS ranks on" $(scontrol show hostnames "$SLURM_JOB_NODELIST" | sort)
srun --mpi=pmix lmp -in in.melt -log none
