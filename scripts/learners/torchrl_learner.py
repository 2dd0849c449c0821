"""TorchRL: its clipped PPO loss and its collector, on the native vector environment's Gymnasium wrapper."""

import sys
import time

import gymnasium as gym
import torch
from played import report
from tensordict.nn import InteractionType, TensorDictModule, TensorDictSequential, set_interaction_type
from torch import nn
from torchrl.collectors import Collector
from torchrl.envs import GymWrapper
from torchrl.modules import MLP, NormalParamExtractor, OneHotCategorical, ProbabilisticActor, TanhNormal, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

import bandit_env  # noqa: F401

env_id, steps, num_envs, batch = sys.argv[2], int(sys.argv[3]), 64, 4096
torch.manual_seed(0)
env = GymWrapper(gym.make_vec(env_id, num_envs=num_envs, autoreset_mode="SameStep"), categorical_action_encoding=False)
width, box = env.observation_spec["observation"].shape[-1], env.action_spec.shape[-1]
daily = isinstance(gym.make(f"bandit_env:{env_id}").action_space, gym.spaces.Box)
net = MLP(in_features=width, out_features=2 * box if daily else box, num_cells=[64, 64], activation_class=nn.Tanh)
if daily:
    body = TensorDictModule(nn.Sequential(net, NormalParamExtractor()), ["observation"], ["loc", "scale"])
    given = {"distribution_class": TanhNormal, "distribution_kwargs": {"low": 0.0, "high": 1.0}}
else:
    body, given = TensorDictModule(net, ["observation"], ["logits"]), {"distribution_class": OneHotCategorical}
actor = ProbabilisticActor(TensorDictSequential(body), in_keys=body.out_keys, return_log_prob=True, **given)
critic = ValueOperator(MLP(in_features=width, out_features=1, num_cells=[64, 64], activation_class=nn.Tanh))
advantage = GAE(gamma=1.0, lmbda=0.95, value_network=critic)
loss = ClipPPOLoss(actor, critic, entropy_coeff=0.001, normalize_advantage=True)
optimizer = torch.optim.Adam(loss.parameters(), lr=1e-3)
start = time.perf_counter()
for data in Collector(env, actor, frames_per_batch=batch, total_frames=steps):
    for _ in range(4):
        with torch.no_grad():
            advantage(data)
        for part in data.reshape(-1)[torch.randperm(batch)].split(1024):
            terms = loss(part)
            optimizer.zero_grad()
            sum(value for name, value in terms.items() if name.startswith("loss_")).backward()
            nn.utils.clip_grad_norm_(loss.parameters(), 0.5)
            optimizer.step()
seconds = time.perf_counter() - start


def act(seen):
    with torch.no_grad(), set_interaction_type(InteractionType.DETERMINISTIC):
        chosen = actor(actor.in_keys and dict_of(seen))["action"]
    return chosen.numpy() if daily else chosen.argmax(-1).numpy()


def dict_of(seen):
    from tensordict import TensorDict

    return TensorDict({"observation": torch.as_tensor(seen)}, [len(seen)])


report(env_id, act, steps, seconds)
