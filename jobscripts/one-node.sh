#!/bin/bash
# All cores of one node.
#
#   sbatch jobscripts/one-node.sh PROGRAM ARGUMENTS...
#   sbatch --ntasks-per-node=8 jobscripts/one-node.sh PROGRAM ARGUMENTS...
#
# The first form starts one rank whose threads are all the cores: what every rank needs (a broadcast table, a
# context built by `local`) is in memory once. Choose it unless something speaks for ranks. The second starts 8 ranks
# and divides the cores among them. Ranks are for tasks that call a C library which must not run in two threads, and
# for tasks that allocate so much that threads get in each other's way. On a node with several sockets one rank per
# socket is often fastest, since each then works in memory of its own. The results are the same bits either way.
#
#SBATCH --job-name=serried
#SBATCH --output=%x-%j.out
#SBATCH --time=01:00:00
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
set -euo pipefail

# Load here what the program was built with, for instance: module load mpich

# The program is the variable PROGRAM or else the first argument; it gets the (other) arguments.
if [[ -z ${PROGRAM:-} && ${1:--} != -* ]]; then PROGRAM=$1 && shift; fi
PROGRAM=${PROGRAM:-target/release/examples/calc_mean}

# The job has the whole node, however many cores that is: divide them among the ranks.
ranks=${SLURM_NTASKS_PER_NODE:-1}
threads=$((SLURM_CPUS_ON_NODE / ranks))
export SERRIED_THREADS=$((threads > 0 ? threads : 1))

# --mpi: pmi2 for MPICH and Intel MPI, pmix for Open MPI (see README.md).
srun --mpi="${SLURM_MPI_TYPE:-pmi2}" --kill-on-bad-exit=1 \
    --ntasks="$ranks" --cpus-per-task="$SERRIED_THREADS" "$PROGRAM" "$@"
