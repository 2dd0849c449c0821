# /// script
# dependencies = ["bandit"]
# ///
# R's bandit, value_remaining, its default of 10,000 draws.
work <- function() {
  for (i in 1:20) found <- quantile(bandit::value_remaining(c(40, 50, 45, 30, 20, 35), rep(1000, 6)), .95)
  c(20, abs(found - .2742548))
}
