"""RLlib's PPO on the native vector environment, in its new API stack: `python scripts/train_rllib.py`.

A proof that it plugs in, not a tuned agent. RLlib has no default encoder for Dict observations, hence the
flattening connector. gamma is 1: the lump at a declaration is undiscounted. RLlib 2.60 pins gymnasium 1.2.2.
"""

import argparse

import bandit_env  # noqa: F401 (registers the environments)

try:
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.connectors.env_to_module import FlattenObservations
except ImportError as error:
    raise SystemExit("this script needs RLlib and PyTorch: pip install 'ray[rllib]' torch") from error


def build(num_envs: int, steps: int):
    """The algorithm: two arms with rates from Beta(4, 96), 60 days; `steps` environment steps in an iteration."""
    return (
        PPOConfig()
        .environment(
            "bandit_env/DailyTraffic-v0",
            env_config={"prior": [4, 96], "num_arms": 2, "max_days": 60, "reward": "regret"},
        )
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=num_envs,
            gym_env_vectorize_mode="vector_entry_point",
            env_to_module_connector=lambda env, spaces=None, device=None: FlattenObservations(),
        )
        .training(gamma=1.0, train_batch_size_per_learner=steps, minibatch_size=steps // 4, num_epochs=2)
        .build_algo()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--steps", type=int, default=4096)
    args = parser.parse_args()
    algorithm = build(args.num_envs, args.steps)
    print(f"environment: {algorithm.env_runner.env.unwrapped}")
    for iteration in range(args.iterations):
        found = algorithm.train()["env_runners"]
        print(
            f"{iteration:3d}  episodes {found['num_episodes_lifetime']:.0f}  return {found['episode_return_mean']:.2f}"
        )
    algorithm.stop()


if __name__ == "__main__":
    main()
