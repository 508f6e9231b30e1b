import numpy as np
import torch

from q2_aam.model.heads.random_features import RandomFeatures, random_signs


def test_signs_are_balanced_and_never_change():
    signs = random_signs(3, 1000)
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    assert signs.mean().abs() < 0.1
    start = "".join("-+"[int(sign > 0)] for sign in signs[0, :16])
    assert start == "-+-++++++-----+-"  # a stored model means nothing with others


def test_their_products_are_an_arc_cosine_kernel():
    x = torch.randn(6, 200, generator=torch.Generator().manual_seed(0))
    features = RandomFeatures(200, 20_000)(x)
    found = (features @ features.T).double().numpy()
    lengths = x.norm(dim=1).double().numpy()
    scale = np.outer(lengths, lengths)
    cosines = np.clip((x @ x.T).double().numpy() / scale, -1, 1)
    # of |u v| for two standard normal numbers with this correlation
    exact = scale * 2 / np.pi * (np.sqrt(1 - cosines**2) + cosines * np.arcsin(cosines))
    assert np.abs(found / scale - exact / scale).max() < 0.03


def test_no_model_stores_the_projection():
    assert not RandomFeatures(3, 4).state_dict()
