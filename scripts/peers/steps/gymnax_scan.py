# /// script
# dependencies = ["gymnax", "six"]
# ///
"""gymnax, the same, 500 steps compiled into one call."""

import gymnax
import jax

env, params = gymnax.make("BernoulliBandit-misc")
key = jax.random.PRNGKey(1)
_, state = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(key, 1024), params)
actions = jax.random.randint(key, (1024,), 0, 2)


def step(carry, _):
    key, state = carry
    key, own = jax.random.split(key)
    _, state, reward, *_ = jax.vmap(env.step, in_axes=(0, 0, 0, None))(
        jax.random.split(own, 1024), state, actions, params
    )
    return (key, state), reward.sum()


play = jax.jit(lambda carry: jax.lax.scan(step, carry, length=500))


def work():
    global key, state
    (key, state), rewards = play((key, state))
    rewards.block_until_ready()
    return 500 * 1024, None
