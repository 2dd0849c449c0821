"""PPO in one file, on the native vector environment: `python scripts/train_ppo.py --out ppo.npz`, read top to bottom.

Task: Bernoulli arms with rates uniform on [0, 1], 100 visits, one at a time; one permutation-equivariant network for
two and for five arms. What matters here: the reward is minus the pseudo-regret, gamma is 1, a thousand episodes in
parallel, each iteration plays them whole, the learning rate falls to zero, and all heads begin at zero (greedy play,
softened). The weights are written as `agents.policy.Policy` reads them, and play without PyTorch. Watch with
`tensorboard --logdir runs`: charts/regret_K is the mean regret of an iteration's episodes with K arms, sampled actions;
losses/* and charts/* are CleanRL's usual ones.
"""

import argparse
import time
from pathlib import Path

import gymnasium as gym
import numpy as np

try:
    import torch
    from torch import nn
    from torch.utils.tensorboard import SummaryWriter
except ImportError as error:
    raise SystemExit("this script needs PyTorch: pip install 'bandit-env[rl]'") from error

import bandit_env  # noqa: F401 (registers the environments)
from agents.policy import Policy
from bandit_env.envs.wrappers import ArmFeaturesVector

FEATURES = ("mean", "sd", "logit", "log_precision", "log_left", "day", "gap")


class Actor(nn.Module):
    """The network of `agents.policy.Policy`: scores of the arms as logits."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Parameter(torch.randn(len(FEATURES), hidden) * len(FEATURES) ** -0.5)
        self.pooled = nn.Parameter(torch.randn(len(FEATURES), hidden) * len(FEATURES) ** -0.5)
        self.bias = nn.Parameter(torch.zeros(hidden))
        self.heads = nn.Parameter(torch.zeros(hidden + 1, 2))  # bonus, sharpness; zero: softened greedy play

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, K, F) -> (n, K)."""
        hidden = x @ self.inner + x.mean(dim=1, keepdim=True) @ self.pooled + self.bias
        out = nn.functional.softsign(hidden) @ self.heads[:-1] + self.heads[-1]
        mean, sd = x[..., 0], x[..., 1]
        sharpness = out[..., 1].mean(dim=1, keepdim=True)
        return (mean + sd * out[..., 0]) * sharpness.exp() / sd.square().mean(dim=1, keepdim=True).sqrt()


class Critic(nn.Module):
    """Expected regret still to come: a shared part per arm, its mean and maximum over the arms, and two layers."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.arm = nn.Sequential(nn.Linear(len(FEATURES), hidden), nn.ReLU())
        self.all = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, K, F) -> (n,)."""
        arms = self.arm(x)
        return self.all(torch.cat([arms.mean(dim=1), arms.amax(dim=1)], dim=1))[:, 0]


def rollout(envs, actor, critic, horizon: int):
    """Whole episodes: features (T, N, K, F), and actions, log-probabilities, rewards, values (T, N)."""
    x = torch.empty(horizon, *envs.observation_space.shape)
    actions = torch.empty(horizon, envs.num_envs, dtype=torch.long)
    log_probs, rewards, values = torch.empty(3, horizon, envs.num_envs)
    observation, _ = envs.reset()
    for t in range(horizon):
        x[t] = torch.from_numpy(observation)
        with torch.no_grad():
            policy = torch.distributions.Categorical(logits=actor(x[t]), validate_args=False)
            actions[t] = policy.sample()
            log_probs[t], values[t] = policy.log_prob(actions[t]), critic(x[t])
        observation, reward, *_ = envs.step(actions[t].numpy())
        rewards[t] = torch.from_numpy(reward)
    return x, actions, log_probs, rewards, values


def advantages_of(rewards: torch.Tensor, values: torch.Tensor, decay: float) -> torch.Tensor:
    """Generalised advantage estimation with gamma = 1 over whole episodes, shape (T, N)."""
    out, after, running = torch.empty_like(rewards), torch.zeros(rewards.shape[1]), torch.zeros(rewards.shape[1])
    for t in reversed(range(len(rewards))):
        running = rewards[t] + after - values[t] + decay * running
        out[t], after = running, values[t]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arms", type=int, nargs="+", default=[2, 5])
    parser.add_argument("--horizon", type=int, default=100)
    parser.add_argument("--num-envs", type=int, default=512, help="episodes in parallel, for each number of arms")
    parser.add_argument("--iterations", type=int, default=250)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--minibatches", type=int, default=8)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--clip", type=float, default=0.2)
    parser.add_argument("--gae-lambda", type=float, default=0.95)
    parser.add_argument("--entropy", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--logdir", type=Path, default=Path("runs/train_ppo"))
    parser.add_argument(
        "--out", type=Path, required=True, help="weights file; the learning curve goes to a .csv beside it"
    )
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)

    worlds = []
    for i, arms in enumerate(args.arms):
        envs = gym.make_vec(
            "bandit_env/BernoulliBandit-v0",
            num_envs=args.num_envs,
            vectorization_mode="vector_entry_point",
            prior=[1, 1],
            num_arms=arms,
            horizon=args.horizon,
            reward="regret",
        )
        envs = ArmFeaturesVector(envs, names=FEATURES)
        envs.reset(seed=args.seed + i * args.num_envs)
        worlds.append(envs)
    actor, critic = Actor(args.hidden), Critic(32)
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters()], lr=args.rate, eps=1e-5)
    writer, steps, curve = SummaryWriter(args.logdir), 0, []
    start, started = time.perf_counter(), time.process_time()

    for iteration in range(args.iterations):
        optimizer.param_groups[0]["lr"] = args.rate * (1 - iteration / args.iterations)
        batches, regrets = [], []
        for arms, envs in zip(args.arms, worlds, strict=True):
            x, actions, log_probs, rewards, values = rollout(envs, actor, critic, args.horizon)
            advantages = advantages_of(rewards, values, args.gae_lambda)
            returns = advantages + values
            batches.append([item.flatten(0, 1) for item in (x, actions, log_probs, advantages, returns)])
            regret = -rewards.sum(dim=0).mean().item()
            regrets.append(regret)
            steps += rewards.numel()
            writer.add_scalar(f"charts/regret_{arms}", regret, steps)
            if iteration % 20 == 0 or iteration == args.iterations - 1:
                print(
                    f"{iteration:5d}  {time.perf_counter() - start:6.0f} s  K = {arms}  regret {regret:.4f}", flush=True
                )
        curve.append([iteration, time.process_time() - started, *regrets])

        for _ in range(args.epochs):
            orders = [torch.randperm(len(batch[0])).chunk(args.minibatches) for batch in batches]
            for chosen in zip(*orders, strict=True):  # a part of every number of arms in each step
                loss = 0.0
                for batch, rows in zip(batches, chosen, strict=True):
                    x, actions, old, advantages, returns = (item[rows] for item in batch)
                    policy = torch.distributions.Categorical(logits=actor(x), validate_args=False)
                    ratio = (policy.log_prob(actions) - old).exp()
                    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
                    policy_loss = -torch.min(
                        ratio * advantages, ratio.clamp(1 - args.clip, 1 + args.clip) * advantages
                    ).mean()
                    value_loss = 0.5 * (critic(x) - returns).square().mean()
                    loss = loss + policy_loss + 0.5 * value_loss - args.entropy * policy.entropy().mean()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_([*actor.parameters()], 0.5)
                nn.utils.clip_grad_norm_([*critic.parameters()], 0.5)
                optimizer.step()
        writer.add_scalar("losses/policy", policy_loss.item(), steps)
        writer.add_scalar("losses/value", value_loss.item(), steps)
        writer.add_scalar("losses/entropy", policy.entropy().mean().item(), steps)
        writer.add_scalar("losses/kl", ((ratio - 1) - ratio.log()).mean().item(), steps)
        writer.add_scalar("charts/learning_rate", optimizer.param_groups[0]["lr"], steps)
        writer.add_scalar("charts/steps_per_second", steps / (time.perf_counter() - start), steps)
    writer.close()

    arrays = {name: value.detach().double().numpy() for name, value in actor.named_parameters()}
    heads = np.concatenate([arrays.pop("heads"), np.zeros((args.hidden + 1, 1))], axis=1)  # no stop score
    trained = {
        "num_arms": [2, 10],
        "visits_per_day": [1, 1],
        "max_days": [args.horizon, args.horizon],
        "command": "python scripts/train_ppo.py",
    }
    Policy("per-visit", FEATURES, heads=heads, trained=trained, **arrays).save(args.out)
    header = "iteration,processor seconds," + ",".join(f"regret with {arms} arms" for arms in args.arms)
    np.savetxt(args.out.with_suffix(".csv"), np.array(curve), delimiter=",", fmt="%.6g", header=header)


if __name__ == "__main__":
    main()
