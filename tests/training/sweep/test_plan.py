"""What a sweep is made of: heads, widths and rates by its lists; and what is refused before anything is written."""

import dataclasses

import jax
import numpy as np
import pytest
from swept_folders import sweep_of, with_seeds

import sigfft
from sigfft.data import SyntheticSpec
from sigfft.heads import Service, least_features
from sigfft.training.config import Config, DataConfig, EncoderConfig, EvalConfig, HeadConfig, TuneConfig
from sigfft.training.experiment import load_splits
from sigfft.training.model import make_models
from sigfft.training.sweep import FAMILIES, Grid, run_sweep, tables_of
from sigfft.training.sweep.families import Sizes
from sigfft.training.sweep.folder import SweptRun, read_sweep
from sigfft.training.sweep.plan import planned

ALL = Grid(list(FAMILIES), [15], [3, 4], [0.5, 2.0])


@pytest.fixture
def shared(config):
    """A config with features as wide as the widest head of a sweep needs."""
    return dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, dim=-1))


def test_every_family_at_its_size_on_one_encoder(shared, tmp_path):
    wide = Grid(list(FAMILIES), [15, 400], [3], [1.0])
    n_labels = dataclasses.replace(shared.data.synthetic, n_labels=1200)
    large = dataclasses.replace(shared, data=dataclasses.replace(shared.data, synthetic=n_labels))
    assert planned(large, wide, tmp_path / "sweep").config.encoder.dim == least_features(
        2 * 6 + 1 + 2 * 400 + 10, "nonnegative"
    )
    sweep = planned(shared, ALL, tmp_path / "sweep")
    heads = {head.family: head for head in sweep.heads}
    fixed = ["dft_slack", "dft_spread", "dft_spread_slack", "dft_embedding"]
    learned = ["dft_embedding_slack", "dft_slack_embedding"]
    priors = ["dft_spread_priors", "dft_embedding_priors", "bottleneck_priors"]
    assert list(heads) == ["bottleneck", "bottleneck_random", *fixed, *learned, *priors, "sigmoid"]
    assert sweep.config.encoder.dim == 512
    train = load_splits(shared)["train"]
    models = {
        family: make_models(sweep.config_of(SweptRun(head, head.rates[0], 3)), train)[-1]
        for family, head in heads.items()
    }
    made = {family: model.head for family, model in models.items()}
    assert {head.feature_dim for head in made.values()} == {512}
    assert made["bottleneck"].dim == made["bottleneck_random"].dim == 15
    assert (made["bottleneck"].random_start, made["bottleneck_random"].random_start) == (False, True)
    assert [made[name].spread for name in fixed] == [0, 15, 15, 14]  # 12 features give an embedding of 10 at most
    assert [made[name].slack for name in fixed[1:]] == [0, 10, 0]
    assert [made[name].embedding for name in fixed] == [0, 0, 0, 2]
    assert made["dft_slack_embedding"] == made["dft_slack"]
    given = {name: set(models[name].given) for name in heads if models[name].given}
    embedded = {name: {"embedding"} for name in ("dft_embedding", "dft_embedding_priors")}
    assert given == embedded | {"dft_slack_embedding": {"slack"}}
    assert [name for name in heads if models[name].log_odds is not None] == priors
    assert [made[name].name for name in priors] == [
        *(f"{made[name].name} priors" for name in ("dft_spread", "dft_embedding")),
        made["bottleneck"].name,
    ]
    assert made["dft_embedding_slack"] == made["dft_slack"]  # no parameters for more
    assert made["dft_embedding"].n_parameters() == made["dft_spread"].n_parameters()
    assert {made[name].max_cardinality for name in fixed} == {6}
    starts = [models[name].init(jax.random.key(3))["encoder"] for name in ("bottleneck", "dft_spread")]
    jax.tree.map(np.testing.assert_array_equal, *starts)


def test_families_say_what_is_given_and_not_the_config(shared, tmp_path):
    """A head of a config with an embedding, or slack that starts as one, says nothing of other families."""
    head = HeadConfig(kind="dft", slack=3, embedding=4, slack_start="embedding", label_priors=True)
    sweep = planned(dataclasses.replace(shared, head=head), ALL, tmp_path / "sweep")
    found = {own.family: (own.config.embedding, own.config.slack_start, own.config.label_priors) for own in sweep.heads}
    assert found == dict.fromkeys(FAMILIES, (0, "", False)) | {
        "dft_embedding": (2, "", False),
        "dft_slack_embedding": (0, "embedding", False),
        "dft_spread_priors": (0, "", True),
        "dft_embedding_priors": (2, "", True),
        "bottleneck_priors": (0, "", True),
    }


def test_an_embedding_takes_three_quarters_of_a_spread():
    own = FAMILIES["dft_embedding"](HeadConfig(centred=True), 50, Sizes(2000, 5, 64, 300))
    assert (own.centred, own.spread, own.slack, own.embedding, own.max_cardinality) == (True, 12, 0, 76, 5)
    few = FAMILIES["dft_embedding"](HeadConfig(), 50, Sizes(2000, 5, 64, 66))
    assert (few.spread, few.embedding) == (39, 22)  # a third
    with pytest.raises(ValueError, match="the features of this data set are no vectors"):
        FAMILIES["dft_embedding"](HeadConfig(), 50, Sizes(2000, 5, 64, 0))


def test_an_embedding_and_slack_share_the_parameters_of_the_bottleneck():
    family = FAMILIES["dft_embedding_slack"]
    for d, feature_dim, columns in ((50, 64, 100), (50, 1900, 44), (6, 64, 12), (6, 1900, 0)):
        own = family(HeadConfig(centred=True), d, Sizes(2000, 5, feature_dim, 300))
        asked, made, none = (
            one.n_parameters()
            for one in (
                sigfft.bottleneck_head(2000, d, feature_dim=feature_dim),
                sigfft.dft_head(
                    *(2000, 5), feature_dim=feature_dim, spread=own.spread, embedding=own.embedding, slack=own.slack
                ),
                sigfft.dft_head(2000, 5, feature_dim=feature_dim),
            )
        )
        column = 2000 + feature_dim + 1
        assert max(asked, none) - column < made <= max(asked, none)
        assert own.slack * column >= (asked - none - column) / 2
        assert (own.centred, 2 * own.spread + own.embedding) == (True, columns)
        assert (own.spread + own.embedding // 2) // 4 == own.spread  # as the family without slack
    with pytest.raises(ValueError, match="the features of this data set are no vectors"):
        family(HeadConfig(), 50, Sizes(2000, 5, 64, 0))
    with pytest.raises(ValueError, match="more than the bottleneck's 20,650; leave out this d"):
        family(HeadConfig(), 10, Sizes(2000, 200, 64, 300))


def test_slack_as_many_parameters_as_the_bottleneck():
    for d, k in ((10, 5), (50, 5), (10, 9)):  # rounded up, and down
        sizes = Sizes(2000, k, 64)
        own = FAMILIES["dft_slack"](HeadConfig(centred=True), d, sizes)
        assert (own.centred, own.spread, own.max_cardinality) == (True, 0, k)
        counts = [
            sigfft.dft_head(2000, k, feature_dim=64, slack=own.slack + step).n_parameters() for step in (-1, 0, 1)
        ]
        distances = np.abs(np.array(counts) - sigfft.bottleneck_head(2000, d, feature_dim=64).n_parameters())
        assert distances[1] == distances.min()


def test_widths_that_take_turns_end_at_their_widest(tmp_path):
    """With 515 features slack has a column more than with 516, which asks for 516."""
    spec = SyntheticSpec(
        n_labels=600, feature_dim=32, n_train=90, n_dev=9, n_test=9, mean_cardinality=4.0, max_cardinality=80
    )
    config = Config(
        data=DataConfig(source="synthetic", synthetic=spec),
        encoder=EncoderConfig(dim=-1),
        head=HeadConfig(max_cardinality=80, centred=True),
        eval=EvalConfig(metric="P@1"),
    )
    widths = [_width_asked(feature_dim, spec.n_labels, 80, 428) for feature_dim in (515, 516)]
    assert widths == [516, 515]
    grid = Grid(["bottleneck", "dft_slack"], [428], [0], [1.0])
    assert planned(config, grid, tmp_path / "sweep").config.encoder.dim == 516


def _width_asked(feature_dim, n_labels, k, d):
    slack = FAMILIES["dft_slack"](HeadConfig(centred=True), d, Sizes(n_labels, k, feature_dim)).slack
    head = sigfft.dft_head(n_labels, k, feature_dim=feature_dim, slack=slack, centred=True)
    return Service(head, "nonnegative").least


def test_rates_are_factors_on_the_settled_ones(shared, tmp_path):
    left_open = dataclasses.replace(shared.optim, learning_rate=0.0, batch_size=256)
    heads = planned(dataclasses.replace(shared, optim=left_open), ALL, tmp_path / "sweep").heads
    bottleneck, dft = heads[0], heads[3]
    assert [tuple(rate) for rate in bottleneck.rates] == [(0.5, 0.005, 0.005), (2.0, 0.02, 0.02)]
    assert dft.rates[1].head_learning_rate == pytest.approx(2 * sigfft.heads.DFTHead.learning_rate)
    settled = planned(shared, ALL, tmp_path / "sweep")  # its config has 0.01
    config = settled.config_of(SweptRun(settled.heads[0], settled.heads[0].rates[1], 4))
    assert (config.optim.learning_rate, config.optim.head_learning_rate, config.seed) == (0.02, 0.02, 4)
    assert (config.baseline.kind, config.eval.loss) == ("none", True)


def test_a_sweep_goes_on_with_itself_and_with_longer_lists(tmp_path):
    sweep = sweep_of(tmp_path / "sweep", families=["bottleneck"], seeds=(0, 1))
    assert read_sweep(sweep.file) == sweep
    longer = sweep_of(tmp_path / "sweep", factors=(0.5, 1.0, 2.0, 4.0), seeds=(0, 1, 2))
    assert read_sweep(sweep.file) == longer
    told = {
        r"it has the seeds 2 as well; it has dft_spread_d3 as well; bottleneck_d3 has Rate\(factor=4.0": sweep,
        "rates are tried with seed 0 there, and 1 here": with_seeds(longer, 1, 0, 2),
        "its data were others": dataclasses.replace(longer, data={"train": "1"}),
        "eval.patience is -1 there, and 9 here": dataclasses.replace(
            longer, config=dataclasses.replace(longer.config, eval=EvalConfig(loss=True, patience=9))
        ),
        "eval.metric is '' there, and 'P@1' here": dataclasses.replace(
            longer, config=dataclasses.replace(longer.config, eval=EvalConfig(loss=True, metric="P@1"))
        ),
        r"bottleneck_d3 is HeadConfig\(kind='bottleneck'.* there, and HeadConfig\(kind='sigmoid'": dataclasses.replace(
            longer, heads=(longer.heads[0]._replace(config=HeadConfig(kind="sigmoid")), longer.heads[1])
        ),
    }
    for message, other in told.items():
        with pytest.raises(ValueError, match=f"holds another sweep: .*{message}"):
            other.write()
    assert read_sweep(sweep.file) == longer


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".sweep-0123abcd.json").write_text("{")  # what a start that was killed leaves
    assert read_sweep(sweep_of(tmp_path / "new").file).seeds == (0, 1, 2)
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(ValueError, match="is not empty and holds no sweep"):
        sweep_of(tmp_path)
    with pytest.raises(ValueError, match=r"holds no sweep: sweep\.json is missing"):
        tables_of(tmp_path)
    (tmp_path / "sweep.json").write_text('{"format": 1, "heads": [{"family": "bottleneck"}]}')
    with pytest.raises(ValueError, match=r"sweep\.json is not what this version .*KeyError: 'd'"):
        read_sweep(tmp_path / "sweep.json")


@pytest.mark.parametrize(
    ("lists", "ways", "message"),
    [
        (
            {"families": ["dft_slak"]},
            {},
            "there is no family 'dft_slak'; expected sigmoid, bottleneck, bottleneck_rand",
        ),
        ({"families": []}, {}, "families is empty; give at least one, such as families=bottleneck,dft_spread"),
        ({"dims": []}, {}, "dims is empty; give at least one, such as dims=25,50"),
        ({"dims": [0]}, {}, "dims must be at least 1; given 0"),
        ({"dims": [4, 4]}, {}, "dims has 4 twice"),
        ({"seeds": [-1]}, {}, "seeds must be at least 0; given -1"),
        ({"seeds": [0, 2**63]}, {}, "seed=9223372036854775808 must be"),
        ({"rates": [0.0]}, {}, "rates are factors above 0; given 0.0"),
        ({"rates": [float("nan")]}, {}, "rates are factors above 0; given nan"),
        ({"rates": [1.0, 1.0000001]}, {}, "two runs would share the folder bottleneck_d15_rate1_seed3"),
        ({"dims": [40]}, {}, "dft_spread at d=40: max_cardinality=6 and spread=40 need"),
        ({"dims": [1], "families": ["dft_slack"]}, {}, "dft_slack at d=1: a DFT head for 6 labels has 6,669 param"),
        ({}, {"shard": (3, 2)}, "shard 3/2 is none; expected i/n with i from 0 to n - 1, such as 0/2"),
        ({}, {"processes": 0}, "processes must be at least 1; given 0"),
        ({}, {"csv": "no/such/folder/t.csv"}, "csv no/such/folder/t.csv must be a .csv file in a folder that exists"),
    ],
    ids=lambda value: str(value)[:30] if isinstance(value, dict) else "",
)
def test_wrong_lists_are_refused(shared, tmp_path, lists, ways, message):
    with pytest.raises(ValueError, match=f"^{message.replace('(', '.').replace('+', '.')}"):
        run_sweep(shared, tmp_path / "sweep", ALL._replace(**lists), **ways)
    assert not (tmp_path / "sweep").exists()


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("synthetic", {"n_dev": 0}, "a sweep chooses rates on a dev split, .* set data.dev_share=0.1"),
        ("eval", {"patience": 0}, "eval.patience=0 trains for fixed steps; a sweep trains until dev stops improving"),
        ("eval", {"metric": "F2@5"}, "eval.metric='F2@5' is not one of"),
        (
            "encoder",
            {"nearest": 8},
            "encoder.nearest=8 is for one DFT head, and a sweep gives all heads the same features",
        ),
        ("tune", {"trials": 3}, "tune.trials=3 searches rates, as a sweep does itself; leave it at 0"),
        ("encoder", {"dim": 16}, "16 features are fewer than the 53 dimensions of dft"),
        ("optim", {"loss": "hinge"}, "optim.loss='hinge' must be one of"),
        ("head", {"kind": "dtf"}, "head.kind='dtf' must be one of"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_a_config_that_no_run_can_have_is_refused(shared, tmp_path, part, values, message):
    if part == "synthetic":
        data = dataclasses.replace(shared.data, synthetic=dataclasses.replace(shared.data.synthetic, **values))
        wrong = dataclasses.replace(shared, data=data)
    else:
        own = TuneConfig(**values) if part == "tune" else dataclasses.replace(getattr(shared, part), **values)
        wrong = dataclasses.replace(shared, **{part: own})
    with pytest.raises(ValueError, match=message):
        run_sweep(wrong, tmp_path / "sweep", ALL)
    assert not (tmp_path / "sweep").exists()
