"""RL Baselines3 Zoo: its command `python -m rl_zoo3.train`, with settings of its own form for our id."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import stable_baselines3 as sb3
from played import report

algorithm, env_id, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
settings = {
    "PPO": "{policy: MlpPolicy, n_envs: 16, n_steps: 128, batch_size: 512, n_epochs: 4, gamma: 1.0}",
    "DQN": "{policy: MlpPolicy, n_envs: 1, learning_starts: 1000, train_freq: 8, gradient_steps: 8, gamma: 1.0}",
}
with tempfile.TemporaryDirectory() as folder:
    config = Path(folder) / "settings.yml"
    config.write_text(f"{env_id}:\n  {settings[algorithm][:-1]}, n_timesteps: {steps}}}\n")
    command = [
        sys.executable, "-m", "rl_zoo3.train", "--algo", algorithm.lower(), "--env", env_id, "--gym-packages",
        "bandit_env", "--conf-file", str(config), "--log-folder", folder, "--seed", "0", "--eval-freq", "-1",
        "--device", "cpu",
    ]  # fmt: skip
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    (saved,) = (path for path in Path(folder).rglob("*.zip"))
    model = getattr(sb3, algorithm).load(saved, device="cpu")
report(env_id, lambda seen: model.predict(seen, deterministic=True)[0], steps, seconds)
