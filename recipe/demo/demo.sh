#!/usr/bin/env bash
# From a feature table to predictions for unseen children, as a user would type it.
# `make demo` sets up what is needed and runs this; the results land in demo-output/.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
DATA=$HERE/../../q2_aam/demo_data
OUTPUT=${1:-demo-output}
SECONDS=0

# Prints a command as one types it, an option a line, and runs it.
run() {
    local shown="$1 $2 $3" argument
    for argument in "${@:4}"; do
        case $argument in
        --*) shown+=$' \\\n    '"$argument" ;;
        *) shown+=" $argument" ;;
        esac
    done
    printf '\n$ %s\n' "$shown"
    "$@"
}

explain() {
    printf '\n'
    printf '# %s\n' "$@"
}

mkdir -p "$OUTPUT"
cp "$DATA"/{table.qza,rep-seqs.qza,rooted-tree.qza,metadata.tsv} "$OUTPUT"
cd "$OUTPUT"
printf 'The commands below run in %s\n' "$(basename "$PWD")/"

explain "875 stool samples of infants; only 126 of them, from 31 children, have metadata." \
    "Take those, and put whole children aside for the test."
run qiime feature-table filter-samples \
    --i-table table.qza --m-metadata-file metadata.tsv --o-filtered-table labeled.qza
run qiime aam split-samples \
    --i-table labeled.qza --m-metadata-file metadata.tsv --m-metadata-column month \
    --m-groups-file metadata.tsv --m-groups-column studyid --p-test-size 0.25 \
    --o-training-table training.qza --o-test-table test.qza \
    --o-training-targets training-months.qza --o-test-targets test-months.qza

explain "Learn a child's age in months from the other children. The bundled encoder reads the DNA."
run qiime aam fit-regressor \
    --i-table training.qza --i-sequences rep-seqs.qza \
    --m-metadata-file metadata.tsv --m-metadata-column month \
    --m-groups-file metadata.tsv --m-groups-column studyid \
    --o-regressor regressor.qza --o-training-log fitting-log.qza --verbose

explain "Can this model read the table that it is to predict?"
run qiime aam check-table \
    --i-table test.qza --i-sequences rep-seqs.qza --i-model regressor.qza \
    --o-visualization check.qzv

explain "Predict the age of the children that were put aside."
run qiime aam predict-regression \
    --i-table test.qza --i-sequences rep-seqs.qza --i-regressor regressor.qza \
    --o-predictions predictions.qza --o-intervals intervals.qza

explain "The same with a random forest, on the same split."
run qiime sample-classifier fit-regressor \
    --i-table training.qza --m-metadata-file metadata.tsv --m-metadata-column month \
    --p-estimator RandomForestRegressor --p-n-estimators 500 --p-random-state 0 \
    --o-sample-estimator forest.qza --o-feature-importance forest-importance.qza
run qiime sample-classifier predict-regression \
    --i-table test.qza --i-sample-estimator forest.qza \
    --o-predictions forest-predictions.qza

explain "Which ASVs do these predictions rest on?"
run qiime aam feature-importance \
    --i-table test.qza --i-sequences rep-seqs.qza --i-model regressor.qza \
    --o-importance importance.qza

explain "Look at the results. Samples of one child count together."
run qiime aam evaluate-regression \
    --i-predictions predictions.qza --i-intervals intervals.qza \
    --i-baseline-predictions forest-predictions.qza \
    --i-training-log fitting-log.qza \
    --i-importance importance.qza --i-sequences rep-seqs.qza \
    --m-truth-file metadata.tsv --m-truth-column month \
    --m-groups-file metadata.tsv --m-groups-column studyid --o-visualization evaluation.qzv
run qiime aam summarize-training \
    --i-training-log fitting-log.qza --o-visualization fitting.qzv

explain "UniFrac between the same children's samples, from their sequences alone: no tree." \
    "Beside it the UniFrac of a tree, of all samples at one depth. 1,400 reads keep every sample."
run qiime feature-table rarefy \
    --i-table table.qza --p-sampling-depth 1400 --o-rarefied-table rarefied.qza
run qiime diversity-lib unweighted-unifrac \
    --i-table rarefied.qza --i-phylogeny rooted-tree.qza --o-distance-matrix unifrac.qza
run qiime feature-table filter-samples \
    --i-table rarefied.qza --m-metadata-file predictions.qza \
    --o-filtered-table rarefied-test.qza
run qiime aam predict-distances \
    --i-table rarefied-test.qza --i-sequences rep-seqs.qza \
    --o-distance-matrix predicted-unifrac.qza

explain "What does pretraining on the study's own matrix add? All 875 samples, without labels."
run qiime aam pretrain \
    --i-tables rarefied.qza --i-distance-matrices unifrac.qza --i-sequences rep-seqs.qza \
    --p-epochs 10 --o-encoder encoder.qza --o-training-log pretraining-log.qza --verbose
run qiime aam fit-regressor \
    --i-table training.qza --i-sequences rep-seqs.qza --i-encoder encoder.qza \
    --m-metadata-file metadata.tsv --m-metadata-column month \
    --m-groups-file metadata.tsv --m-groups-column studyid \
    --o-regressor pretrained-regressor.qza --o-training-log pretrained-fitting-log.qza
run qiime aam predict-regression \
    --i-table test.qza --i-sequences rep-seqs.qza --i-regressor pretrained-regressor.qza \
    --o-predictions pretrained-predictions.qza --o-intervals pretrained-intervals.qza
run qiime aam predict-distances \
    --i-table rarefied-test.qza --i-sequences rep-seqs.qza --i-model encoder.qza \
    --o-distance-matrix pretrained-unifrac.qza
run qiime aam summarize-training \
    --i-training-log pretraining-log.qza --o-visualization pretraining.qzv

python "$HERE/summary.py" .
printf '\nThe demo took %d minutes and %d seconds.\n' $((SECONDS / 60)) $((SECONDS % 60))
