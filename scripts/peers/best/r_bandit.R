# /// script
# dependencies = ["bandit"]
# ///
# R's bandit, best_binomial_bandit, quadrature.
exact <- c(.0839175251, .6323484927, .2622339374, .0026373305, 6.5964e-6, .0188561177)
work <- function() {
  for (i in 1:50) found <- bandit::best_binomial_bandit(c(40, 50, 45, 30, 20, 35), rep(1000, 6))
  c(50, max(abs(found - exact)))
}
