"""The world: scenarios, the dynamics, and the Gymnasium environments over them."""
