"""RLlib's new API stack on the native vector environment; skipped where Ray is not installed."""

import pytest
from loading import load

pytest.importorskip("ray.rllib", reason="needs RLlib: pip install 'ray[rllib]' (it pins its own gymnasium)")

pytestmark = [pytest.mark.extra, pytest.mark.filterwarnings("default")]


@pytest.mark.timeout(300)
def test_ppo_trains_through_the_vector_entry_point():
    algorithm = load("train_rllib").build(num_envs=8, steps=512)
    try:
        envs = algorithm.env_runner.env.unwrapped
        assert type(envs).__name__ == "DailyTrafficVectorEnv"
        assert envs.num_envs == 8
        found = algorithm.train()["env_runners"]
        # 64 steps of 8 environments; random stops end episodes on day 14 or soon after
        assert 8 <= found["num_episodes_lifetime"] <= 8 * 64 // 14
        assert -600 < found["episode_return_mean"] < 0
    finally:
        algorithm.stop()
