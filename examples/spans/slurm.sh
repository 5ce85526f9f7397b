#!/bin/bash
# One long video on a Slurm cluster: one array task a span, then one task that joins the parts.
#
#     bash examples/spans/slurm.sh /shared/street.mp4 /shared/street.vidseg --model everyday
#
# Further options go to `vidseg detect`. Everything lies in a shared folder; a task that failed is
# repeated by the same command, since --resume leaves whole parts as they are.
set -euo pipefail

length=${LENGTH:-960}  # frames a span: a multiple of every batch and keyframe window

case ${1:?} in
span)
    shift
    first=$((SLURM_ARRAY_TASK_ID * length))
    last=${LAST:?}
    end=$([ "$SLURM_ARRAY_TASK_ID" -eq "$last" ] || echo $((first + length)))
    input=$1 parts=$2
    shift 2
    exec vidseg detect --resume --frames "$first:$end" "$@" "$input" "$parts"
    ;;
merge)
    exec vidseg merge --force "$2" "$3"
    ;;
*)
    input=$1 output=$2
    shift 2
    parts=$output.parts
    frames=$(vidseg info "$input" | python3 -c 'import json, sys; print(json.load(sys.stdin)["frames"])')
    last=$(((frames - 1) / length))
    job=$(LAST=$last LENGTH=$length sbatch --parsable --array "0-$last" --export ALL --cpus-per-task 4 \
        "$0" span "$input" "$parts" "$@")
    sbatch --dependency "afterok:$job" --cpus-per-task 2 "$0" merge "$parts" "$output"
    ;;
esac
