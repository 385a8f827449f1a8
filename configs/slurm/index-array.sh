#!/bin/sh
# Build an index on a cluster: ten tasks of an array job build a shard each.
#
# files.txt lists the training files, one a line; the list of a task must fit one
# command line. All shards need the same --capacity: the number of distinct windows
# of the whole corpus, of which there is at most one for each word. --name tells files
# of one name in different shards apart.
#
#   sbatch index-array.sh
#   noecho index merge --out all.nidx shard-*.nidx
#
#SBATCH --array=0-9
set -eu
split -n "r/$((SLURM_ARRAY_TASK_ID + 1))/10" files.txt |
  xargs -d '\n' noecho index build --capacity 400000000 --memory 5GiB \
    --exclude boilerplate.jsonl --name "shard-$SLURM_ARRAY_TASK_ID" --out "shard-$SLURM_ARRAY_TASK_ID.nidx"
