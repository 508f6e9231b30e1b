"""Without a model's vocabulary, reads are compared with the reference of the bundled encoder."""

import biom
import numpy as np
import pandas as pd
import pytest
import qiime2
import simulated_study as sim
from skbio import DNA, DistanceMatrix
from small_demo import DEMO, write_small_demo


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A small real table and its DNA by feature."""
    folder = tmp_path_factory.mktemp("demo")
    write_small_demo(folder, 12, 60)
    table = qiime2.Artifact.load(str(folder / "table.qza")).view(biom.Table)
    table = table.remove_empty(axis="observation", inplace=False)
    dna = qiime2.Artifact.load(str(DEMO / "rep-seqs.qza")).view(pd.Series).map(str)
    return table, dna[list(table.ids("observation"))]


def replaced(real, features, letters):
    """Give features other DNA, as `letters` makes it of theirs; return table and sequences."""
    table, dna = real
    dna = dna.copy()
    dna.iloc[features] = [letters(one) for one in dna.iloc[features]]
    return {"table": sim.table_artifact(table), "sequences": sim.sequences_artifact(dna)}


def backwards(dna):
    return str(DNA(dna).reverse_complement())


def shuffled(dna):
    return "".join(np.random.default_rng(len(dna)).permutation(list(dna)))


def matrix_of(aam, real, features, letters):
    found = aam.predict_distances(**replaced(real, features, letters))
    return found.distance_matrix.view(DistanceMatrix).data


def test_reads_of_the_other_strand_give_the_same_distances(aam, real, capsys):
    whole = matrix_of(aam, real, slice(0), backwards)
    assert "reverse complement" not in capsys.readouterr().out
    for features, said in ((slice(None), f"{len(real[1])} sequences"), (slice(1), "1 sequence")):
        assert np.allclose(matrix_of(aam, real, features, backwards), whole, atol=1e-6)
        assert f"{said} read as the reverse complement" in capsys.readouterr().out


def test_a_fit_on_the_other_strand_is_the_same_fit(aam, real):
    ages = sim.column_of(pd.Series(np.arange(12.0), real[0].ids()))
    found = []
    for letters in (str, backwards):
        given = replaced(real, slice(None), letters)
        model, _ = aam.fit_regressor(metadata=ages, n_estimators=6, threads=1, **given)
        predictions, _ = aam.predict_regression(regressor=model, **given)
        found.append(sim.values_of(predictions))
    assert np.allclose(*found, atol=1e-5)


def test_distances_of_another_gene_are_refused_and_some_reads_counted(aam, real, refused, capsys):
    given = replaced(real, slice(None), shuffled)
    parts = ("58 features of 58", "100 % of the reads", "16S", "pretrain-from-phylogeny")
    refused(aam.predict_distances, *parts, **given)
    encoder = aam.load_encoder().encoder  # who chooses it gets what it says
    assert aam.predict_distances(model=encoder, **given)
    capsys.readouterr()
    rare = np.argsort(np.asarray(real[0].sum("observation")))[:5]
    matrix_of(aam, real, rare, shuffled)
    said = capsys.readouterr()
    assert "5 features of 58" in said.out + said.err
