"""How long a stock learner takes to beat Thompson sampling: SB3's PPO on an id to learn on, one thread.

`python scripts/beat_thompson.py [--id bandit_env/LearnPerVisit-v0]`: needs the extra `rl`. After every `--every` steps
the policy's most likely actions play the experiments that Thompson sampling has played; it has beaten it once the
difference is below 0 by three standard errors. Seconds are CPU time of training alone.
"""

import argparse
import time

import gymnasium as gym
import numpy as np
from try_learners import thompson_losses

try:
    import torch
    from stable_baselines3 import PPO

    from bandit_env.rl.sb3 import make_native_vec_env
except ImportError as error:
    raise SystemExit("this script needs PyTorch and Stable-Baselines3: pip install 'bandit-env[rl]'") from error


def losses(model: PPO, env_id: str, experiments: int) -> np.ndarray:
    """What the policy loses in each experiment."""
    env = gym.make_vec(env_id, num_envs=experiments, autoreset_mode="Disabled")
    seen, total, ended = env.reset(seed=10**6)[0], np.zeros(experiments), np.zeros(experiments, bool)
    while not ended.all():
        seen, rewards, ended, *_ = env.step(model.predict(seen, deterministic=True)[0])
        total -= rewards
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--id", default="bandit_env/LearnPerVisit-v0")
    parser.add_argument("--every", type=int, default=20_480)
    parser.add_argument("--most", type=int, default=1_000_000, help="steps")
    parser.add_argument("--experiments", type=int, default=4000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rival = thompson_losses(args.id, args.experiments)
    print(f"Thompson sampling loses {rival.mean():.2f} ± {rival.std() / np.sqrt(rival.size):.2f}", flush=True)
    envs = make_native_vec_env(args.id, n_envs=64, seed=0)
    model = PPO(
        "MlpPolicy", envs, gamma=1.0, n_steps=64, batch_size=1024, n_epochs=4, learning_rate=1e-3, seed=0, device="cpu"
    )
    seconds = 0.0
    while model.num_timesteps < args.most:
        start = time.process_time()
        model.learn(args.every, reset_num_timesteps=False)
        seconds += time.process_time() - start
        ours = losses(model, args.id, args.experiments)
        error = (ours - rival).std() / np.sqrt(rival.size)
        print(f"{model.num_timesteps:,} steps, {seconds:.1f} s: {ours.mean():.2f}", flush=True)
        if ours.mean() - rival.mean() < -3 * error:
            print(f"SB3's PPO beats Thompson sampling in {seconds:.0f} s on one core")
            return
    print("not beaten")


if __name__ == "__main__":
    main()
