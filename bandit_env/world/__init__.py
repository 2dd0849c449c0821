"""The world: scenarios and the dynamics, without Gymnasium."""
