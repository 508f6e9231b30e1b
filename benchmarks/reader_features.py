"""What readers may see of samples: ASVs, learned branches, and clades of several phylogenies."""

import biom
import numpy as np
import pandas as pd
import qiime2
import skbio
import torch
from cross_validation import Problem
from studies import DATA

from q2_aam.actions.named_sequences import merge_sequences
from q2_aam.data.study import build_studies
from q2_aam.data.table import read_table
from q2_aam.inference import embed_asvs, load_network, sample_states
from q2_aam.model.clades import Clades
from q2_aam.model.log_abundance import log_abundance
from q2_aam.model.network import Parts
from q2_aam.storage.model import read_model
from q2_aam.training.clades import MOST_CLADES, clade_tables
from q2_aam.training.init import new_network
from q2_aam.types import AAMModelDirectoryFormat

PREVALENT = 0.01


class Features:
    """What readers see of a problem's samples, by an encoder.

    Attributes
    ----------
    fractions : ndarray of float32, (samples, ASVs)
    branches : ndarray of float32, (samples, branches)
        Log abundances, by the encoder; `untrained_branches` by one that never learned.
    embedding : ndarray of float32, (ASVs, D)
        By the encoder; `untrained` by one that never learned.
    in_tree : ndarray of float32, (samples, clades)
        Log abundances of the clades of the study's own tree.
    """

    def __init__(self, problem: Problem, encoder):
        network = load_network(*read_model(str(encoder.view(AAMModelDirectoryFormat))))
        samples = read_table(problem.study.table_of(problem.ids).view(biom.Table))
        dna = merge_sequences(problem.study.sequences.view(pd.Series))
        config = network.config
        studies = build_studies([samples], dna, config.max_sequence_length, config.max_asvs)
        place = {name: row for row, name in enumerate(samples.sample_ids)}
        rows = np.array([place[name] for name in problem.ids])
        self.fractions = studies.studies[0].abundances[rows].toarray()
        fresh = new_network(config, studies, 0, torch.device("cpu")).eval()
        self.embedding, self.branches = _read(network, studies, rows)
        self.untrained, self.untrained_branches = _read(fresh, studies, rows)
        self.in_tree = tree_clades(problem)

    def known(self, kept: np.ndarray) -> np.ndarray:
        """Find the ASVs in at least 1 % of some samples."""
        held_by = (self.fractions[kept] > 0).sum(axis=0)
        return np.flatnonzero(held_by >= max(1, PREVALENT * len(kept)))

    def clades(self, kept: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        """Grow clades on the known ASVs of some samples; return all samples' log abundances."""
        known = self.known(kept)
        most = min(MOST_CLADES, len(known) - 1)
        clades = Clades(len(known), most, embedding.shape[1])
        tables = clade_tables(embedding[known], self.fractions[kept][:, known], most)
        leaves = torch.from_numpy(embedding[known])
        clades.set_tables(
            embedding=leaves, **{name: torch.from_numpy(table) for name, table in tables.items()}
        )
        row = np.full(len(embedding), len(known))
        row[known] = np.arange(len(known))
        nodes = clades.nodes_of(torch.from_numpy(embedding), torch.from_numpy(row))
        sums = torch.zeros(len(self.fractions), len(known) + most + 1)
        sums = sums.index_add(1, nodes, torch.from_numpy(self.fractions))
        return log_abundance(clades(sums[:, :-1])).numpy()


@torch.no_grad()
def _read(network, studies, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    embedded = embed_asvs(network, studies.asvs, np.arange(len(studies.asvs)))
    parts = Parts(attend=False, detect=False, quantify=True, join=False)
    states = sample_states(network, studies, 0, rows, embedded, parts)
    return embedded.numpy(), torch.cat([state.abundance for state in states]).numpy()


def tree_clades(problem: Problem) -> np.ndarray:
    """Return log abundances of the clades of two and more ASVs of the study's own tree."""
    path = DATA / problem.task.study / "rooted-tree.qza"
    tree = qiime2.Artifact.load(str(path)).view(skbio.TreeNode)
    table = problem.study.table.filter(set(problem.ids), inplace=False).sort_order(problem.ids)
    counts = table.matrix_data.T.toarray()
    column = {name: place for place, name in enumerate(table.ids(axis="observation"))}
    members: dict[int, frozenset] = {}
    for node in tree.postorder():
        if node.is_tip():
            members[id(node)] = frozenset(column[name] for name in [node.name] if name in column)
        else:
            members[id(node)] = frozenset().union(*(members[id(one)] for one in node.children))
    clades = [sorted(one) for one in set(members.values()) if len(one) > 1]
    fractions = counts / counts.sum(axis=1, keepdims=True)
    sums = np.stack([fractions[:, one].sum(axis=1) for one in sorted(clades)], axis=1)
    return log_abundance(torch.from_numpy(sums)).float().numpy()
