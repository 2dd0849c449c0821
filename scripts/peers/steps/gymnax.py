# /// script
# dependencies = ["gymnax", "six"]
# ///
"""gymnax, BernoulliBandit-misc, compiled by JAX for the processor, a call a step."""

import gymnax
import jax

env, params = gymnax.make("BernoulliBandit-misc")
key = jax.random.PRNGKey(1)
_, state = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(key, 1024), params)
actions = jax.random.randint(key, (1024,), 0, 2)


@jax.jit
def step(key, state):
    key, own = jax.random.split(key)
    _, state, reward, *_ = jax.vmap(env.step, in_axes=(0, 0, 0, None))(
        jax.random.split(own, 1024), state, actions, params
    )
    return key, state, reward


def work():
    global key, state
    for _ in range(500):
        key, state, reward = step(key, state)
    reward.block_until_ready()
    return 500 * 1024, None
