import dataclasses
import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from heads.laws import HEADS, random_params

import sigfft
from sigfft.argmaxability import Reach
from sigfft.argmaxability.of_heads.head_report import HeadReport
from sigfft.domains import domain_of
from sigfft.heads import stored_layer

DOMAINS = ["any", "nonnegative", (-1.0, 2.0), (0.5, None)]


def head_with(kernel, offset=None, **options):
    """A bottleneck whose projection is the kernel (feature_dim, dim)."""
    kernel = np.asarray(kernel, np.float32)
    head = sigfft.bottleneck_head(6, kernel.shape[1], feature_dim=len(kernel), **options)
    params = dict(head.init(jax.random.key(0)))
    bias = np.zeros(head.dim, np.float32) if offset is None else np.asarray(offset, np.float32)
    return head, params | {"projection_kernel": jnp.asarray(kernel), "projection_bias": jnp.asarray(bias)}


@pytest.mark.parametrize("name", HEADS)
def test_the_projection_is_the_heads(name):
    head = HEADS[name]
    params = random_params(head)
    matrix, offset = head.projection(params)
    features = np.random.default_rng(0).standard_normal((5, head.feature_dim)).astype(np.float32)
    z = np.asarray(head.project(params, jnp.asarray(features)))
    np.testing.assert_allclose(features @ matrix.T + offset, z, rtol=1e-4, atol=1e-4 * np.abs(z).max())


def test_entries_of_a_float32_projection_are_exact():
    head = sigfft.dft_head(37, 3, feature_dim=5)
    params = head.init(jax.random.key(0))
    gain = np.float64(np.float32(np.sqrt(head.n_points)))
    kernel = np.asarray(params["projection_kernel"], np.float64)
    assert (head.projection(params).matrix == kernel.T * gain).all()


@pytest.mark.parametrize("domain", DOMAINS)
def test_what_is_reached_is_proved_saved_and_given_features(domain, tmp_path):
    rng = np.random.default_rng(1)
    found = []
    for trial in range(12):  # of few shapes: each is compiled
        dim, n = 2 + trial % 2, (2, 5, 9)[trial % 3]
        head, params = head_with(rng.integers(-2, 3, (n, dim)), rng.integers(-1, 2, dim) * (trial % 2))
        projection = head.projection(params)
        reach = sigfft.reach(head, params, domain)
        reach.save(tmp_path / "reach.json")
        again = Reach.load(tmp_path / "reach.json")
        found.append(again.status)
        if again.status != "undecided":
            assert again.proves(projection)
        other = projection._replace(matrix=projection.matrix + 1)
        assert not again.proves(other)
        if again.status == "every z":
            z = 10 * rng.standard_normal((20, dim))
            features = again.features(projection, z)
            made = features @ projection.matrix.T + projection.offset
            if again.up_to_scale:
                made = made * ((made * z).sum(axis=1) / (made * made).sum(axis=1))[:, None]
            np.testing.assert_allclose(made, z, atol=1e-8)
            assert domain_of(domain).holds(features).all()
        else:
            with pytest.raises(ValueError, match="need not exist"):
                again.features(projection, np.ones((1, dim)))
    assert {"every z", "part"} <= set(found)


def test_nonnegative_features_need_a_balance():
    right, _ = head_with([[1.0], [2.0]])
    assert sigfft.reach(*head_with([[1.0], [2.0]]), "any").status == "every z"
    one_sided = sigfft.reach(*head_with([[1.0], [2.0]]), "nonnegative")
    assert (one_sided.status, one_sided.rank) == ("part", right.dim)
    assert sigfft.reach(*head_with([[1.0], [-2.0]]), "nonnegative").status == "every z"


def test_centred_features_reach_every_z_whatever_is_learned():
    sets = [[0], [3, 7], [2, 9]]
    for centred, status in ((False, "part"), (True, "every z")):
        head = sigfft.dft_head(11, 2, feature_dim=8, centred=centred)
        params = dict(head.init(jax.random.key(0)))
        one_sided = params["projection_kernel"].at[:, 0].add(-1.0)  # each feature lowers all logits
        params |= {"projection_kernel": one_sided}
        reach = sigfft.reach(head, params, "nonnegative")
        assert reach.status == status
        assert reach.proves(head.projection(params))
        report = sigfft.check_head(head, params, sets, domain="nonnegative")
        if centred:
            assert report.features.tolist() == ["argmaxable"] * 3
            assert all((x > 0).all() for x in report.on_features.witness)


def test_missing_dimensions_are_counted():
    reach = sigfft.reach(*head_with([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]))
    assert (reach.status, reach.dim, reach.rank) == ("part", 3, 2)
    assert "1 of its 3 dimensions are missing" in str(reach)
    same = sigfft.reach(*head_with([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]))
    assert (same.status, same.rank) == ("part", 1)


@pytest.mark.parametrize("domain", ["nonnegative", (-1.0, 2.0)])
def test_forged_proofs_are_refused(domain):
    head, params = head_with([[1.0, 0.5], [-2.0, 1.0], [0.5, -3.0], [1.0, 1.0]])
    projection, reach = head.projection(params), sigfft.reach(head, params, domain)
    assert reach.status == "every z"
    forged = [
        {"balance": np.array([1.0, 1.0, 1.0, -1.0])},
        {"balance": None},
        {"columns": np.array([0, 0])},
        {"columns": None},
        {"status": "part"},
        {"status": "part", "against": np.array([1.0, 1.0])},
        {"status": "part", "against": np.zeros(3), "columns": None},
        {"projection": {}},
    ]
    if domain != "nonnegative":  # the exact point near it has 2.3 as its second entry
        forged.append({"balance": np.array([1.9, 0.01, 0.01, 1.9]), "columns": np.array([1, 2])})
    for change in forged:
        assert not dataclasses.replace(reach, **change).proves(projection), change


def test_a_file_that_is_none_is_refused(tmp_path):
    path = tmp_path / "reach.json"
    for text in ("", "[]", json.dumps({"status": "every z"})):
        path.write_text(text)
        with pytest.raises(ValueError, match=r"not a file that Reach\.save wrote"):
            Reach.load(path)


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("rule", ["threshold", "top_k"])
def test_features_yield_what_an_exact_check_of_them_says(domain, rule):
    rng = np.random.default_rng(2)
    seen = set()
    for n_features in (1, 5):
        head, params = head_with(rng.standard_normal((n_features, 2)), rng.standard_normal(2))
        sets = [list(s) for k in (1, 2, 3) for s in itertools.combinations(range(6), k)]
        report = sigfft.check_head(head, params, sets, rule, domain=domain)
        weight, bias = stored_layer(head, params)
        alone = sigfft.check(weight, sets, bias, rule, domain=domain, projection=head.projection(params))
        assert report.on_features.status.tolist() == alone.status.tolist()
        assert "undecided" not in report.on_features.status
        assert set(report.features[report.on_features.status == "unargmaxable"]) <= {"unargmaxable"}
        assert (report.stored[report.features == "argmaxable"] == "argmaxable").all()
        for witness, status, labels in zip(report.on_features.witness, report.features, sets, strict=True):
            if status == "argmaxable":
                assert domain_of(domain).holds(np.asarray(witness))
                logits = np.asarray(head.logits(params, jnp.asarray(np.asarray(witness), jnp.float32)))
                order = np.argsort(-logits)
                seen.add((rule, tuple(sorted(order[: len(labels)].tolist())) == tuple(labels)))
        assert report.reach.status in ("every z", "part")
    assert (rule, True) in seen


@pytest.mark.parametrize("low", [0.0, 0.5])
def test_where_a_part_is_reached_features_are_found_for_witnesses_in_it(low, tmp_path, monkeypatch):
    head, params = head_with([[1.0, 0.05], [0.05, 1.0], [0.5, 0.5], [0.2, 0.9]], [-2.0, -2.0])
    towards = [[1.0, 0.9], [0.8, 1.0], [-1.0, -0.5], [-0.5, -1.0], [-1.0, -1.0], [1.0, -2.0]]
    params |= {"weight": jnp.asarray(towards)}  # [0, 1] is what z = (1, 1) yields; features reach about there
    sets = [list(s) for k in (1, 2, 3) for s in itertools.combinations(range(6), k)]
    weight, bias = stored_layer(head, params)

    def status_and_methods():
        report = sigfft.check_head(head, params, sets, domain=(low, None))
        assert report.reach.status == "part"
        report.on_features.save(tmp_path / "features.jsonl")
        sigfft.verify(tmp_path / "features.jsonl", weight, bias, sets, projection=head.projection(params))
        return report.on_features.status.tolist(), {verdict.method for verdict in report.on_features.verdicts}

    def fails(*_):
        raise RuntimeError("Maximum number of iterations reached.")

    status, methods = status_and_methods()
    monkeypatch.setattr("scipy.optimize.nnls", fails)
    without, others = status_and_methods()
    assert status == without
    assert "onto" in methods - others


def test_reports_on_features_are_saved_and_verified(tmp_path):
    head = sigfft.dft_head(60, 3, feature_dim=60, spread=8)
    params = head.init(jax.random.key(0))
    sets = [[0], [1, 2], [5, 20, 40], [1, 2, 3, 4, 5, 6, 7]]
    report = sigfft.check_head(head, params, sets, domain="nonnegative")
    assert report.reach.status == "every z"
    assert report.features.tolist()[:3] == ["argmaxable"] * 3
    weight, bias = stored_layer(head, params)
    path = tmp_path / "features.jsonl"
    report.on_features.save(path)
    projection = head.projection(params)
    assert sigfft.verify(path, weight, bias, sets, projection=projection) == {
        name: count for name, count in report.on_features.counts().items() if name != "checked"
    }
    with pytest.raises(ValueError, match="features of a head: give projection="):
        sigfft.verify(path, weight, bias)
    with pytest.raises(ValueError, match="other weights"):
        sigfft.verify(path, weight, bias, projection=projection._replace(offset=projection.offset + 1))


def test_a_report_without_a_domain_says_nothing_of_features():
    head, params = head_with([[1.0, 0.5], [-2.0, 1.0]])
    report = sigfft.check(*_reordered(head, params))
    made = HeadReport.of(head, params, report)
    assert (made.features, made.on_features) == (None, None)
    assert "features" not in made.truths()


def _reordered(head, params):
    weight, bias = stored_layer(head, params)
    return weight, [[0], [1]], bias


def test_what_is_reached_is_told_without_its_proof():
    head = sigfft.bottleneck_head(5, 3, feature_dim=8)
    found = sigfft.reach(head, head.init(jax.random.key(0)))
    assert repr(found) == "Reach: features reach every z; domain any, rank 3 of 3"
    assert found.to_dicts() == [{"status": "every z", "domain": "any", "up_to_scale": False, "dim": 3, "rank": 3}]
    assert "features reach every z" in found._repr_html_()
