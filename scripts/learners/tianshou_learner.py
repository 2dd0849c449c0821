"""Tianshou: PPO for a Box of actions, DQN for Discrete ones, by its high-level interface."""

import sys
import time

import gymnasium as gym
import torch
from played import report
from tianshou.data import Batch
from tianshou.highlevel.config import OffPolicyTrainingConfig, OnPolicyTrainingConfig
from tianshou.highlevel.env import EnvFactoryRegistered, VectorEnvType
from tianshou.highlevel.experiment import DQNExperimentBuilder, ExperimentConfig, PPOExperimentBuilder
from tianshou.highlevel.params.algorithm_params import DQNParams, PPOParams

algorithm, env_id, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
factory = EnvFactoryRegistered(task=f"bandit_env:{env_id}", venv_type=VectorEnvType.DUMMY)
plain = ExperimentConfig(persistence_enabled=False, watch=False, log_file_enabled=False, device="cpu", seed=0)
if algorithm == "PPO":
    training = OnPolicyTrainingConfig(
        max_epochs=1, epoch_num_steps=steps, num_training_envs=16, collection_step_num_env_steps=2048, batch_size=512,
        update_step_num_repetitions=4, test_step_num_episodes=1,
    )  # fmt: skip
    builder = PPOExperimentBuilder(factory, plain, training).with_ppo_params(PPOParams(gamma=1.0, lr=1e-3))
    builder = builder.with_actor_factory_default((64, 64)).with_critic_factory_default((64, 64))
else:
    training = OffPolicyTrainingConfig(
        max_epochs=1, epoch_num_steps=steps, num_training_envs=8, collection_step_num_env_steps=64, batch_size=256,
        buffer_size=50_000, start_timesteps=1000, start_timesteps_random=True, test_step_num_episodes=1,
        update_step_num_gradient_steps_per_sample=0.25,
    )  # fmt: skip
    builder = DQNExperimentBuilder(factory, plain, training).with_model_factory_default((64, 64))
    builder = builder.with_dqn_params(DQNParams(gamma=1.0, lr=1e-3, target_update_freq=500, eps_training=0.1))
start = time.perf_counter()
policy = builder.build().run().world.algorithm.policy
seconds = time.perf_counter() - start
policy.eval()


def act(seen):
    with torch.no_grad():
        chosen = policy(Batch(obs=seen, info=Batch())).act
    space = gym.make(f"bandit_env:{env_id}").action_space
    return policy.map_action(chosen) if isinstance(space, gym.spaces.Box) else chosen


report(env_id, act, steps, seconds)
