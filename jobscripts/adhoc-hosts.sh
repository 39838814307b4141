#!/bin/bash
# Machines that you can log into, without a batch system: what dask-ssh does for Dask.
#
#   jobscripts/adhoc-hosts.sh HOSTFILE PROGRAM ARGUMENTS...
#
# HOSTFILE has one machine a line: a name, then how many ranks it takes, as in
#
#   fast.example.org  slots=4
#   small.example.org slots=1
#
# (slots=1 if left out; lines that begin with # are skipped). The machines need the same program under the same path,
# the same MPI, and ssh from this machine to the others without a password. Variables:
#   MPIRUN            the mpirun of the MPI that the program was built with (mpirun)
#   SERRIED_THREADS   compute threads of each rank (1)
#   NTASKS            ranks (all slots)
set -euo pipefail

if (($# < 1)) || [[ ! -r $1 ]]; then
    echo "usage: adhoc-hosts.sh HOSTFILE PROGRAM ARGUMENTS...; HOSTFILE has lines like: fast.example.org slots=4" >&2
    exit 2
fi
hostfile=$1
shift

# The program is the variable PROGRAM or else the next argument; it gets the (other) arguments.
if [[ -z ${PROGRAM:-} && ${1:--} != -* ]]; then PROGRAM=$1 && shift; fi
PROGRAM=${PROGRAM:-target/release/examples/calc_mean}
PROGRAM=$(realpath "$PROGRAM") # the other machines start in a folder of their own

MPIRUN=${MPIRUN:-mpirun}
export SERRIED_THREADS=${SERRIED_THREADS:-1}

# The hosts as this mpirun spells them: NAME slots=N for Open MPI, NAME:N for MPICH, Intel MPI and others of their kin.
hosts=$(mktemp)
trap 'rm -f "$hosts"' EXIT
version=$("$MPIRUN" --version 2>&1 || true)
case $version in
*"Open MPI"* | *OpenRTE* | *PRRTE*) spelling='%s slots=%s\n' ;;
*) spelling='%s:%s\n' ;;
esac
slots=0
while read -r name count _; do
    [[ -n $name && $name != \#* ]] || continue
    count=${count#slots=}
    # shellcheck disable=SC2059 # the spelling is a format
    printf "$spelling" "$name" "${count:-1}" >>"$hosts"
    slots=$((slots + ${count:-1}))
done <"$hostfile"
NTASKS=${NTASKS:-$slots}

case $version in
*"Open MPI"* | *OpenRTE* | *PRRTE*)
    # -x: Open MPI hands on only the variables that are named. --bind-to none: else it ties all threads of a rank to
    # one core.
    options=(--hostfile "$hosts" --bind-to none)
    for variable in $(compgen -e | grep -E '^(SERRIED_.*|RUST_LOG|RUST_BACKTRACE|LD_LIBRARY_PATH)$'); do
        options+=(-x "$variable")
    done
    ;;
*)
    options=(-f "$hosts") # hands on the whole environment, binds to nothing
    ;;
esac
"$MPIRUN" "${options[@]}" -n "$NTASKS" "$PROGRAM" "$@"
