#!/bin/bash
# Several nodes: the same program, only more ranks.
#
#   sbatch jobscripts/several-nodes.sh PROGRAM ARGUMENTS...
#   sbatch --nodes=8 --ntasks-per-node=2 --cpus-per-task=32 jobscripts/several-nodes.sh PROGRAM ARGUMENTS...
#
# Ranks per node times cores per rank should be the cores of a node: the second form suits nodes of 2 sockets with
# 32 cores each. What the command line says goes before the lines below.
#
#SBATCH --job-name=serried
#SBATCH --output=%x-%j.out
#SBATCH --time=01:00:00
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --cpus-per-task=1
set -euo pipefail

# Load here what the program was built with, for instance: module load mpich

# The program is the variable PROGRAM or else the first argument; it gets the (other) arguments.
if [[ -z ${PROGRAM:-} && ${1:--} != -* ]]; then PROGRAM=$1 && shift; fi
PROGRAM=${PROGRAM:-target/release/examples/calc_mean}

# One compute thread for each core that a rank was given.
export SERRIED_THREADS=${SLURM_CPUS_PER_TASK:-1}

# --cpus-per-task again, because srun no longer takes it over from the job (since Slurm 22.05).
# --mpi: pmi2 for MPICH and Intel MPI, pmix for Open MPI (see README.md).
# --kill-on-bad-exit: when a rank dies the job ends, instead of holding its nodes until the time limit.
srun --mpi="${SLURM_MPI_TYPE:-pmi2}" --kill-on-bad-exit=1 \
    --cpus-per-task="$SERRIED_THREADS" "$PROGRAM" "$@"
