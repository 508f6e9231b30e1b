import numpy as np
import pytest
import scipy.sparse
from simulated_study import simulate_study

from q2_aam.data.phylogeny import choose_clades, find_tips, parse_newick, unweighted_unifrac
from q2_aam.errors import AAMError

QUOTED = "((a:1,'b, c;(d)':2)'0.9:g__X; s__':0.5,(d:1e-2,'e''s':1)[a comment]:3)root;"


def test_names_may_be_quoted_and_hold_any_letter():
    found = parse_newick(QUOTED)
    assert set(found.tips()) == {"a", "b, c;(d)", "d", "e's"}
    assert [found.names[found.parent[node]] for node in found.tips().values()][:2] == [
        "0.9:g__X; s__"
    ] * 2
    assert found.length[found.tips()["d"]] == 0.01
    assert np.isnan(found.length[0])
    assert (found.parent[1:] < np.arange(1, len(found.parent))).all()


@pytest.mark.parametrize("text", ["((a,b);", "(a,b));", "a,b;", "(a:x,b:1);"])
def test_what_is_no_tree_is_refused(text):
    with pytest.raises(AAMError, match="phylogeny"):
        parse_newick(text)


@pytest.mark.parametrize(
    ("text", "learned", "number", "tip_length", "held"),
    [
        # all clades and tips have the length of the tree
        ("(((a:1,b:1):2,c:1):4,(d:1,e:1):3,f:2);", "abcdef", 9, 7 / 6,
         {"ab": [2, 4], "c": [4], "de": [3], "f": []}),
        # clades are judged by length and tips; where the next outer one of almost the same tips is
        # short and not chosen, the inner one takes its length
        ("((((((a:1,b:1,c:1,d:1,e:1):4,f:1):0.5,g:9):0.1,h:1):0.05,i:1,j:1):0.02,k:1);",
         "abcdefghijk", 2, None, {"abcde": [0.65, 4], "f": [0.65], "ghijk": []}),
        # the root's length is no branch's
        ("((a:1,b:1,c:1,d:1,e:1):2,f:1):5;", "abcdef", 1, None, {"abcde": [2], "f": []}),
        # tips that are not learned from do not make a clade
        ("(((a:1,b:1):2,(c:1,d:1):5):1,e:1,f:1);", "abe", 1, 1, {"ab": [3], "cdef": []}),
    ],
)  # fmt: skip
def test_clades_are_chosen_by_their_lengths_and_tips(text, learned, number, tip_length, held):
    phylogeny = parse_newick(text)
    tips = phylogeny.tips()
    known = np.array([name in learned for name in tips])
    clades = choose_clades(phylogeny, np.array([*tips.values()]), known, number, 2)
    assert tip_length in (None, pytest.approx(clades.tip_length))
    lengths = np.append(clades.lengths, np.nan)[clades.lineages]
    found = {name: sorted(row[~np.isnan(row)]) for name, row in zip(tips, lengths, strict=True)}
    for names, wanted in held.items():
        for name in names:
            assert found[name] == pytest.approx(wanted), name


def test_unifrac_is_that_of_scikit_bio(monkeypatch):
    study = simulate_study(12, 60, 3)
    phylogeny = parse_newick(str(study.tree))
    counts = scipy.sparse.csr_matrix(study.counts.to_numpy())
    monkeypatch.setattr("q2_aam.data.phylogeny._NODES_AT_ONCE", 25)
    found = unweighted_unifrac(phylogeny, find_tips(phylogeny, list(study.counts)), counts)
    assert np.allclose(found, study.unifrac.data, atol=1e-6)
    some = np.flatnonzero(counts[:3].getnnz(axis=0))  # of fewer samples, whose tree is smaller
    tips = find_tips(phylogeny, list(study.counts.columns[some]))
    few = unweighted_unifrac(phylogeny, tips, counts[:3][:, some])
    assert np.allclose(few, found[:3, :3], atol=1e-6)
