"""skrl's PPO on the native vector environment."""

import sys
import time

import gymnasium as gym
import torch
from played import report
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.trainers.torch import SequentialTrainer
from skrl.utils.model_instantiators.torch import categorical_model, deterministic_model, gaussian_model

import bandit_env  # noqa: F401

env_id, steps, num_envs, rollouts = sys.argv[2], int(sys.argv[3]), 64, 64
env = wrap_env(gym.make_vec(env_id, num_envs=num_envs, autoreset_mode="SameStep"), wrapper="gymnasium")
given = {"observation_space": env.observation_space, "action_space": env.action_space, "device": env.device}
layers = [{"name": "net", "input": "OBSERVATIONS", "layers": [64, 64], "activations": "tanh"}]
if isinstance(env.action_space, gym.spaces.Box):
    policy = gaussian_model(**given, network=layers, output="ACTIONS", clip_actions=True, initial_log_std=-1.0)
else:
    policy = categorical_model(**given, network=layers, output="ACTIONS")
models = {"policy": policy, "value": deterministic_model(**given, network=layers, output="ONE")}
settings = PPO_CFG(rollouts=rollouts, learning_epochs=4, mini_batches=4, discount_factor=1.0, entropy_loss_scale=0.0)
settings.experiment.write_interval = settings.experiment.checkpoint_interval = 0
memory = RandomMemory(memory_size=rollouts, num_envs=num_envs, device=env.device)
agent = PPO(models=models, memory=memory, cfg=settings, device=env.device,
            observation_space=env.observation_space, action_space=env.action_space)  # fmt: skip
start = time.perf_counter()
quiet = {"headless": True, "disable_progressbar": True}
SequentialTrainer(env=env, agents=agent, cfg={"timesteps": steps // num_envs, **quiet}).train()
seconds = time.perf_counter() - start


def act(seen):
    with torch.no_grad():
        actions, outputs = policy.act({"observations": torch.as_tensor(seen)}, role="policy")
    return outputs.get("mean_actions", outputs.get("net_output", actions).argmax(1)).numpy()


report(env_id, act, steps, seconds)
