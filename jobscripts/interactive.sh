#!/bin/bash
# An interactive allocation: ask for nodes once, then run the program in them as often as you like.
#
#   salloc --nodes=2 --ntasks-per-node=2 --cpus-per-task=4 --time=00:30:00
#   jobscripts/interactive.sh PROGRAM ARGUMENTS...       # all ranks of the allocation
#   SERRIED_THREADS=1 jobscripts/interactive.sh PROGRAM ARGUMENTS...
#   exit                                                 # give the nodes back
#
# Or in one go: salloc --nodes=2 --ntasks-per-node=2 jobscripts/interactive.sh PROGRAM ARGUMENTS...
# Where a shell comes by srun: srun --nodes=1 --ntasks=1 --cpus-per-task=8 --pty bash, then the same command.
set -euo pipefail

if [[ -z ${SLURM_JOB_ID:-} ]]; then
    echo "interactive.sh: no allocation here; first: salloc --nodes=2 --ntasks-per-node=2 --time=00:30:00" >&2
    exit 2
fi

# The program is the variable PROGRAM or else the first argument; it gets the (other) arguments.
if [[ -z ${PROGRAM:-} && ${1:--} != -* ]]; then PROGRAM=$1 && shift; fi
PROGRAM=${PROGRAM:-target/release/examples/calc_mean}

# One compute thread for each core that a rank was given, unless you say otherwise.
export SERRIED_THREADS=${SERRIED_THREADS:-${SLURM_CPUS_PER_TASK:-1}}

# --overlap: your shell may be a step itself and hold the cores; the program shares them with it.
# --mpi: pmi2 for MPICH and Intel MPI, pmix for Open MPI (see README.md).
srun --overlap --mpi="${SLURM_MPI_TYPE:-pmi2}" --kill-on-bad-exit=1 \
    --cpus-per-task="$SERRIED_THREADS" "$PROGRAM" "$@"
