import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sigfft import spectrum


@pytest.mark.parametrize("n_fft", [7, 8, 97, 100, 19997, 100_003])
def test_rows_match_exact_angles(n_fft):
    random = np.random.default_rng(n_fft)
    points = random.integers(0, n_fft, 40)
    frequencies = np.unique(random.integers(1, (n_fft - 1) // 2 + 1, 15))
    angle = 2 * np.pi * ((points[:, None] * frequencies) % n_fft) / n_fft
    expected = np.sqrt(2 / n_fft) * np.stack([np.cos(angle), np.sin(angle)], -1).reshape(40, -1)
    rows = spectrum.rows(jnp.asarray(points), frequencies, n_fft, jnp.float32)
    np.testing.assert_allclose(rows[:, 1:], expected, atol=4e-7 * np.sqrt(2 / n_fft))
    np.testing.assert_allclose(rows[:, 0], n_fft**-0.5, rtol=1e-6)


def test_turns_do_not_overflow_at_half_a_billion_points():
    n_fft = 2**29 - 3
    points, frequencies = np.array([n_fft - 1, n_fft // 3, 12345]), np.array([7, n_fft // 2 - 1])
    expected = (points[:, None].astype(object) * frequencies) % n_fft
    turns = spectrum._multiply_modulo(jnp.asarray(points), frequencies, n_fft)
    np.testing.assert_array_equal(turns, expected.astype(np.int64))
    with pytest.raises(ValueError, match="2\\*\\*29 points"):
        spectrum._multiply_modulo(jnp.asarray(points), frequencies, 2**31)


@pytest.mark.parametrize("n_fft", [9, 10, 101, 256])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_synthesis_is_the_product_with_rows(n_fft, dtype):
    frequencies = np.array([1, 2, (n_fft - 1) // 2])
    z = jax.random.normal(jax.random.key(0), (2, 3, 7), dtype)
    rows = spectrum.rows(jnp.arange(n_fft), frequencies, n_fft, jnp.float32)
    values = spectrum.synthesis(z, frequencies, n_fft)
    assert values.dtype == jnp.float32
    np.testing.assert_allclose(values, z.astype(jnp.float32) @ rows.T, atol=2e-6)


def test_columns_are_orthonormal_in_float64():
    with jax.enable_x64():
        rows = spectrum.rows(jnp.arange(101), np.arange(1, 51), 101, jnp.float64)
        np.testing.assert_allclose(rows.T @ rows, np.eye(101), atol=1e-13)


def test_spread_frequencies_are_distinct_above_k_and_repeatable():
    chosen = spectrum.spread_frequencies(1000, 50, 200)
    assert len(np.unique(chosen)) == 200
    assert chosen.min() > 50
    assert chosen.max() < 500
    np.testing.assert_array_equal(chosen, spectrum.spread_frequencies(1000, 50, 200))
    assert len(spectrum.spread_frequencies(1000, 50, 449)) == 449


def test_spread_frequencies_are_these_on_every_machine():
    assert spectrum.spread_frequencies(1000, 5, 8).tolist() == [35, 251, 303, 330, 395, 431, 448, 465]
    assert spectrum.spread_frequencies(997, 1, 3).tolist() == [62, 326, 497]
    assert not spectrum.spread_frequencies(997, 1, 3).flags.writeable


def test_spread_frequencies_are_the_best_of_the_draws():
    low = spectrum.low_frequencies(2)
    chosen = spectrum.sidelobe(np.concatenate([low, spectrum.spread_frequencies(500, 2, 6)]), 500)
    random = np.random.default_rng(0)
    others = [
        spectrum.sidelobe(np.concatenate([low, 3 + random.choice(247, 6, replace=False)]), 500) for _ in range(20)
    ]
    assert chosen < min(others)


def test_sidelobe_is_the_largest_correlation_of_two_rows():
    frequencies = np.array([1, 4, 9])
    rows = np.asarray(spectrum.rows(jnp.arange(25), frequencies, 25, jnp.float32), np.float64)
    cosines = rows @ rows.T / np.outer(np.linalg.norm(rows, axis=1), np.linalg.norm(rows, axis=1))
    np.testing.assert_allclose(spectrum.sidelobe(frequencies, 25), cosines[~np.eye(25, dtype=bool)].max(), rtol=1e-6)


@pytest.mark.parametrize("spread", [-1, 445])
def test_spread_beyond_the_frequencies_there_are(spread):
    with pytest.raises(ValueError, match="must be between 0 and 444"):
        spectrum.spread_frequencies(1000, 55, spread)


@pytest.mark.parametrize(("n", "smooth"), [(1, 1), (11, 12), (8921, 8960), (19_997, 20_000), (14_642, 14_700)])
def test_smooth_length(n, smooth):
    assert spectrum.smooth_length(n) == smooth
