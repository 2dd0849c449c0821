"""CleanRL: a script of its repository, by id alone, as it is but for what fails on CartPole or Pendulum too.

CleanRL's scripts are for Gymnasium 0.29. With Gymnasium 1 `PORTED` replaces the lines that stop, or no longer tell
returns, on Gymnasium's own environments. The loss is that of the last experiments of training.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from played import tell

PORTED = {
    r"(for i in range\(args.num_envs\)\]),?\n": r"\1, autoreset_mode='SameStep',\n",
    r'infos\["final_info"\]:': '[{"episode": {"r": r, "l": 0}} for r in infos["final_info"]["episode"]["r"] if r]:',
    r"infos\[.final_observation.\]": 'infos["final_obs"]',
    r"(TransformObservation\(env, lambda obs: .*\))\)": r"\1, env.observation_space)",
    r"\n( +)break\n": r"\n\1pass\n",
}
script, env_id, steps, folder = sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
text = (folder / "cleanrl" / f"{script}.py").read_text()
for line, port in PORTED.items():
    text = re.sub(line, port, text)
ported = folder / "cleanrl" / f"{script}_ported.py"
ported.write_text(text)
start = time.perf_counter()
done = subprocess.run(
    [sys.executable, ported.name, "--env-id", f"bandit_env:{env_id}", "--total-timesteps", str(steps), "--no-cuda",
     "--gamma", "1.0"],
    cwd=ported.parent, env={"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
)  # fmt: skip
if done.returncode:
    raise SystemExit(done.stderr[-2000:])
returns = [float(found) for found in re.findall(r"episodic_return=\[?([-+.e\d]+)", done.stdout)]
tell(-np.array(returns[-500:]), steps, time.perf_counter() - start)
